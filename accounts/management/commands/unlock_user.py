"""`manage.py unlock_user`: let people sign in again at once."""

from typing import Any

from accounts.management.people import PeopleCommand
from accounts.models import User
from accounts.services.unlocking import unlock_user
from core.permissions import SYSTEM


class Command(PeopleCommand):
    help = (
        "Forget the failed sign-ins of people who have to wait because of them; neither passwords nor sessions "
        "change, and disabled accounts stay disabled."
    )
    done = "unlocked"

    def act(self, user: User, options: dict[str, Any]) -> bool:
        return unlock_user(actor=SYSTEM, user_id=user.pk)
