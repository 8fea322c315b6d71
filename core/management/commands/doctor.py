"""`manage.py doctor`: what is wrong here, and what to do about it."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from core.doctor import Finding, examine


class Command(BaseCommand):
    help = "Find what is wrong with this installation and say what to do about it; exit code 1 when something is red."

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[str] = Counter()
        for finding in examine():
            counts[finding.level] += 1
            self._tell(finding)
        self.stdout.write(f"{counts['green']} good, {counts['yellow']} worth a look, {counts['red']} bad.")
        if counts["red"]:
            raise SystemExit(1)

    def _tell(self, finding: Finding) -> None:
        mark, style = {
            "green": ("ok  ", self.style.SUCCESS),
            "yellow": ("look", self.style.WARNING),
            "red": ("BAD ", self.style.ERROR),
        }[finding.level]
        self.stdout.write(f"{style(mark)} {finding.subject}: {finding.found}")
        if finding.advice:
            self.stdout.write(f"       {finding.advice}")
