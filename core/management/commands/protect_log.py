"""`manage.py protect_log`: takes from the application's role what would let it rewrite the event log."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from core import log_rights


class Command(BaseCommand):
    help = (
        "Revoke UPDATE, DELETE and TRUNCATE on the event log and its seals from a role, on top of the triggers that "
        "refuse them to everyone. Run it as the owner of the tables, for the role that the application connects with."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--role", required=True, help="The role in the application's DATABASE_URL.")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        role = options["role"]
        try:
            tables = log_rights.protect(role=role)
        except log_rights.UnableToProtect as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{role} can only add to and read {len(tables)} tables ({', '.join(tables)}).")
