"""`manage.py create_role`: a role with permissions from the catalogue."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services.roles import create_role
from core.errors import ApplicationError
from core.permissions import PERMISSIONS, SYSTEM


class Command(BaseCommand):
    help = f"Create a role, which nobody has yet. Permissions there are: {', '.join(PERMISSIONS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The role's name, to 50 characters.")
        parser.add_argument("permissions", nargs="*", help="What it permits, for example read:user; nothing if none.")
        parser.add_argument("--description", default="", help="What the role is for.")
        parser.add_argument("--require-mfa", action="store_true", help="Demand two-factor sign-in of who has it.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not 0 < len(name) <= 50 or len(options["description"]) > 500:
            raise CommandError("A name has 1 to 50 characters, a description 500 at most.")
        try:
            role = create_role(
                actor=SYSTEM,
                name=name,
                permissions=options["permissions"],
                description=options["description"],
                require_mfa=options["require_mfa"],
            )
        except ApplicationError as error:
            raise CommandError(" ".join(detail.message for detail in error.details) or error.text) from None
        self.stdout.write(f"Role {role.name} created; it permits {', '.join(role.permissions) or 'nothing'}.")
