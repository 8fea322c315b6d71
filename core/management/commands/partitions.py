"""`manage.py partitions`: keeps the months of the event log ready, and archives old ones."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from core import partitions


class Command(BaseCommand):
    help = "Make the event log's coming months; with --retain-months detach old ones as tables to dump and drop."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--ahead", type=int, default=partitions.AHEAD, help="How many months ahead.")
        parser.add_argument("--retain-months", type=int, help="Detach what is older than the newest N months.")
        parser.add_argument("--yes", action="store_true", help="Really detach; without it they are only listed.")

    def handle(self, *args: Any, **options: Any) -> None:
        made = partitions.make_partitions(ahead=max(options["ahead"], 0))
        self.stdout.write(f"Made {len(made)} partitions{_listed(made)}.")
        if not options["retain_months"]:
            return
        retain = options["retain_months"]
        if options["yes"]:
            names = partitions.archive_months(retain_months=retain)
            self.stdout.write(f"Detached {len(names)} partitions{_listed(names)}.")
        else:
            names = partitions.months_to_archive(retain_months=retain)
            self.stdout.write(f"Would detach {len(names)} partitions{_listed(names)}; --yes does it.")


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""
