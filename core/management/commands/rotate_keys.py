"""Seal every encrypted value anew with the first key of ENCRYPTION_KEYS, so that the other keys can be dropped."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from core.crypto.keyring import active_key_id
from core.crypto.rotation import Column, encrypted_columns, seal_anew


class Command(BaseCommand):
    help = (
        "Seal every encrypted value anew with the first key of ENCRYPTION_KEYS. Put the new key first, keep the old "
        "one behind it, restart, run this, then drop the old key. May be interrupted and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Count what would be sealed anew; change nothing.")
        parser.add_argument("--batch-size", type=int, default=500, help="Rows per transaction (default: 500).")

    def handle(self, *args: Any, dry_run: bool, batch_size: int, **options: Any) -> None:
        columns = encrypted_columns()
        if dry_run:
            return self._count(columns)
        key = active_key_id()
        sealed = sum(self._seal(column, batch_size) for column in columns)
        left = sum(column.stale().count() for column in columns)
        if left:
            raise CommandError(f"{sealed} values sealed with key {key!r}; {left} are left: see above, run again.")
        self.stdout.write(f"{sealed} values sealed with key {key!r}; no other key is needed any more.")
        return None

    def _count(self, columns: list[Column]) -> None:
        total = 0
        for column in columns:
            count = column.stale().count()
            total += count
            self.stdout.write(f"{column.field.place}: {count}")
        self.stdout.write(f"{total} values would be sealed with key {active_key_id()!r}.")

    def _seal(self, column: Column, batch_size: int) -> int:
        sealed = 0
        total = column.stale().count()
        with tqdm(total=total, desc=column.field.place, disable=not sys.stderr.isatty()) as bar:
            for progress in seal_anew(column, batch_size=batch_size):
                sealed += progress.sealed
                bar.update(progress.sealed)
                for primary_key in progress.unreadable:
                    self.stderr.write(
                        f"{column.field.place}: row {primary_key} does not open with any key; left as it is."
                    )
        return sealed
