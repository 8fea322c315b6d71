"""`manage.py files_rescan`: has the virus scanner look at stored files once more."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.scanner import is_configured
from resources.models import STORED, FileState, FileVersion
from resources.services.quarantine import scan_again


class Command(BaseCommand):
    help = (
        "Promise that the virus scanner looks at the files in quarantine, or with --all at every stored version. "
        "Workers do it; what is infected is removed, and its owner told. Only counts with --all unless --yes is given."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="Those that are ready, too.")
        parser.add_argument("--yes", action="store_true", help="Really have all of them scanned.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_configured():
            raise CommandError("There is no scanner: set CLAMD_URL.")
        states = STORED if options["all"] else (FileState.QUARANTINED,)
        rows = FileVersion.objects.filter(state__in=states)
        if options["all"] and not options["yes"]:
            self.stdout.write(f"Would have {rows.count()} content(s) scanned; --yes does it.")
            return
        self.stdout.write(f"{scan_again(rows)} content(s) will be scanned.")
