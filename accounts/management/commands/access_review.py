"""`manage.py access_review`: who may what, and when they last did."""

import csv
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.services.access_review import access_rows, columns, concerns

_FORMULAS: Final = ("=", "+", "-", "@")


class Command(BaseCommand):
    help = (
        "Review access: how many users there are to worry about or, with --csv, one row per user with role, "
        "permissions, MFA, connections, sessions, tokens, shares, last use and last review. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--csv", nargs="?", const="-", help="Write the rows to this file, or to standard output.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["csv"] is None:
            self._count()
            return
        with self._opened(options["csv"]) as file:
            number = self._write(file)
        self.stderr.write(f"{number} users.")

    def _count(self) -> None:
        for words, condition in concerns(datetime.now(UTC)).values():
            self.stdout.write(f"{words}: {User.objects.filter(condition).count()}")
        self.stdout.write(f"{User.objects.count()} users.")

    def _write(self, file: TextIO) -> int:
        writer = csv.DictWriter(file, columns(), lineterminator="\n")
        writer.writeheader()
        number = 0
        for row in access_rows():
            writer.writerow({name: harmless(value) for name, value in row.items()})
            number += 1
        return number

    def _opened(self, name: str) -> Any:
        return nullcontext(self.stdout) if name == "-" else _private_file(name)


def harmless(value: str | int) -> str | int:
    """Return the cell so that no spreadsheet takes it for a formula, whatever a user is called."""
    if isinstance(value, str) and value.lstrip().startswith(_FORMULAS):
        return f"'{value}"
    return value


@contextmanager
def _private_file(name: str) -> Iterator[TextIO]:
    path = Path(name)
    try:
        path.touch(mode=0o600)
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
