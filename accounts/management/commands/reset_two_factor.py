"""`manage.py reset_two_factor`: let people sign in by their password alone again."""

from typing import Any

from accounts.management.people import PeopleCommand
from accounts.models import User
from accounts.services.mfa_reset import reset_second_factors
from core.permissions import SYSTEM


class Command(PeopleCommand):
    help = (
        "Take every second factor (app, passkeys, recovery codes) of people who have lost them away, and end their "
        "sessions; they are told by mail, and a role that demands two-factor sign-in has them set it up again."
    )
    done = "reset"

    def act(self, user: User, options: dict[str, Any]) -> bool:
        if not user.mfa_enabled:
            return False
        reset_second_factors(actor=SYSTEM, user_id=user.pk)
        return True
