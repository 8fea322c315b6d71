"""`manage.py deactivate_user`: lock people out, and keep what is theirs."""

from typing import Any

from accounts.management.people import PeopleCommand
from accounts.models import User
from accounts.services.users import change_user
from core.permissions import SYSTEM


class Command(PeopleCommand):
    help = (
        "Disable accounts: their sessions and tokens end within a second and they cannot sign in; what is theirs "
        "stays. An administrator enables them again in the admin. The last administrator is not disabled."
    )
    done = "disabled"

    def act(self, user: User, options: dict[str, Any]) -> bool:
        changed = change_user(actor=SYSTEM, user_id=user.pk, changes={"is_active": False})
        return changed.version != user.version
