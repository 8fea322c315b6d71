"""`manage.py check_denormalised`: whether what the tables repeat of one another still agrees."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.denormalised import Repeated, registered


class Command(BaseCommand):
    help = (
        "Compare every column that repeats what stands elsewhere with what it repeats, and count the rows that "
        "disagree. Triggers and services keep them in step, so there are none unless tables were written past them. "
        "It reads whole tables and changes nothing, unless --mend is given. Ends with code 1 when something is wrong "
        "and was not mended."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--mend", action="store_true", help="Write anew what disagrees, where that is possible.")

    def handle(self, *args: Any, **options: Any) -> None:
        columns = [one for one in registered() if one.count_wrong is not None]
        wrong = mended = 0
        for one in columns:
            found = one.count_wrong() if one.count_wrong else 0
            written = one.mend() if found and options["mend"] and one.mend else 0
            self._tell(one, found, written)
            wrong, mended = wrong + found, mended + written
        facts = f"{len(columns)} columns compared, {wrong} rows disagree, {mended} mended."
        if wrong > mended:
            raise CommandError(facts)
        self.stdout.write(facts)

    def _tell(self, one: Repeated, found: int, written: int) -> None:
        if not found:
            self.stdout.write(f"{self.style.SUCCESS('ok ')} {one.column}")
            return
        self.stdout.write(f"{self.style.ERROR('BAD')} {one.column}: {found} rows, {written} mended")
        if one.mended_by and written < found:
            self.stdout.write(f"    manage.py {one.mended_by} mends them.")
