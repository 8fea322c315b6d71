"""`manage.py createsuperuser`: the first person who may do everything."""

import getpass
import os
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from accounts.services.users import NewUser, create_user
from core.errors import ApplicationError
from core.permissions import SYSTEM


class Command(BaseCommand):
    help = (
        "Create a user with the role admin and a confirmed address, ready to sign in to the API and the admin. "
        "With --noinput, DJANGO_SUPERUSER_EMAIL, DJANGO_SUPERUSER_PASSWORD and DJANGO_SUPERUSER_NAME are taken."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", help="The address to sign in with.")
        parser.add_argument("--name", help="The name that others see.")
        parser.add_argument("--noinput", "--no-input", action="store_true", help="Ask nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        ask = _take_from_environment if options["noinput"] else _ask
        email = options["email"] or ask("EMAIL", "E-mail address")
        name = options["name"] or ask("NAME", "Name")
        password = ask("PASSWORD", "Password")
        user = _create(email, name, password)
        self.stdout.write(f"{user} may do everything.")


def _create(email: str, name: str, password: str) -> Any:
    try:
        validate_email(email.strip().lower())
        return create_user(
            actor=SYSTEM, new=NewUser(email=email, name=name, password=password, role="admin", email_verified=True)
        )
    except ValidationError as error:
        raise CommandError(error.messages[0]) from None
    except ApplicationError as error:
        raise CommandError(" ".join(detail.message for detail in error.details) or error.text) from None


def _take_from_environment(name: str, label: str) -> str:
    value = os.environ.get(f"DJANGO_SUPERUSER_{name}", "Administrator" if name == "NAME" else "")
    if not value:
        raise CommandError(f"DJANGO_SUPERUSER_{name} is missing.")
    return value


def _ask(name: str, label: str) -> str:
    value = getpass.getpass(f"{label}: ") if name == "PASSWORD" else input(f"{label}: ")
    if not value:
        raise CommandError(f"{label} is missing.")
    return value
