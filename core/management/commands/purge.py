"""`manage.py purge`: removes for good what has been kept long enough."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from core import purge


class Command(BaseCommand):
    help = (
        "Remove what is past its time: rows in the bin (BIN_RETENTION_DAYS; resources by the trash_days of their "
        "type), kept answers of idempotent requests, marks of handled events and of schedule runs "
        "(TRACE_RETENTION_DAYS). Only counts without --yes; the schedule does it each night."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="Really remove them.")

    def handle(self, *args: Any, **options: Any) -> None:
        remove = options["yes"]
        counts = purge.purge() if remove else {group.table: group.rows.count() for group in purge.expired()}
        for table, count in counts.items():
            self.stdout.write(f"{table}: {count}")
        total = sum(counts.values())
        self.stdout.write(f"Removed {total} rows." if remove else f"Would remove {total} rows; --yes does it.")
