"""`manage.py audit_verify`: proves that the event log is whole."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import seal


class Command(BaseCommand):
    help = (
        "Follow the sealed event log from its beginning and name every event that was changed, removed or put in. "
        "Without --head a cut tail cannot be seen: give a head that was exported earlier."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--head", help="HASH@POSITION, as exported each minute.")

    def handle(self, *args: Any, **options: Any) -> None:
        report = seal.verify(expected=self._expected(options["head"]))
        for fault in report.faults:
            self.stderr.write(fault)
        facts = (
            f"{report.checked} events sealed, {report.archived} archived, {report.redacted} redacted, "
            f"{report.unsealed} not sealed yet; head {report.head}"
        )
        if report.faults:
            raise CommandError(f"The event log is NOT whole: {len(report.faults)} faults. {facts}.")
        self.stdout.write(f"The event log is whole: {facts}.")

    def _expected(self, text: str | None) -> seal.Head | None:
        try:
            return seal.Head.parse(text) if text else None
        except ValueError as error:
            raise CommandError(f"--head: {error}") from None
