"""`manage.py assign_role`: give people a role."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.management.people import PeopleCommand
from accounts.models import Role, User
from accounts.services.users import change_user
from core.permissions import SYSTEM


class Command(PeopleCommand):
    help = (
        "Give people a role instead of the one they have. It holds within a second, also for who is signed in, and "
        "each of them is told by mail. The last administrator keeps theirs."
    )
    done = "given the role"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role", help="The name of the role.")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if not Role.objects.filter(name=options["role"]).exists():
            names = ", ".join(Role.objects.order_by("name").values_list("name", flat=True))
            raise CommandError(f"There is no role {options['role']!r}; there are: {names}.")
        super().handle(*args, **options)

    def act(self, user: User, options: dict[str, Any]) -> bool:
        changed = change_user(actor=SYSTEM, user_id=user.pk, changes={"role": options["role"]})
        return changed.version != user.version
