"""`manage.py db_maintenance`: fresh statistics, and what has gone wrong in tables and indexes."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from core.maintenance import Report, look, maintain


class Command(BaseCommand):
    help = (
        "Give the planner fresh statistics of every table (ANALYZE; nobody waits for it), then tell which tables "
        "vacuum does not keep up with, which indexes are broken, unused or missing. The schedule `maintain-database` "
        "does the same each night and shows its report in the admin. Ends with code 1 when something is broken."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only look; no statistics.")

    def handle(self, *args: Any, **options: Any) -> None:
        report = Report((), (), look()) if options["dry_run"] else maintain()
        for finding in report.findings:
            self.stdout.write(f"{finding.level:6} {finding.subject}: {finding.found}")
            if finding.advice:
                self.stdout.write(f"       {finding.advice}")
        self.stdout.write(str(report).splitlines()[0])
        if any(finding.level == "red" for finding in report.findings):
            raise SystemExit(1)
