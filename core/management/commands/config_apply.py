"""`manage.py config_apply`: makes the database as the files of a folder say, or says what that would change."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from core.configuration import Change, apply_changes, changes_between, read_folder
from core.errors import ApplicationError
from core.permissions import SYSTEM

DIFFERS: Final = 2
REFUSED: Final = 3


class Command(BaseCommand):
    help = (
        "Compare the database with a folder that config_export wrote, and change it with --apply. Without --apply "
        "nothing is changed: what would be is listed, with what stands against it (rows; roles and types that are not "
        f"there), and the command ends with code {REFUSED} where --apply would be refused (with --force: even so), "
        f"{DIFFERS} where there is a difference, 0 where there is none, 1 for files that cannot be read. --apply does "
        "all of it in one transaction, or nothing; each change is an event. What the folder has no directory for stays "
        "as it is; what has no file stays too, unless --prune deletes it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", help="The folder that config_export wrote.")
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--plan", action="store_true", help="Only say what would change, which is the default.")
        action.add_argument("--apply", action="store_true", help="Change it.")
        parser.add_argument("--prune", action="store_true", help="Delete what has no file; what is in use is refused.")
        parser.add_argument(
            "--force",
            action="store_true",
            help="Change schemas although live resources do not fit; they stay readable.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(options["folder"])
        if not folder.is_dir():
            raise CommandError(f"{folder} is no folder.")
        try:
            wanted = read_folder(folder)
            if options["apply"]:
                self._apply(wanted, options)
                return
            changes = changes_between(wanted, prune=options["prune"])
        except ApplicationError as refusal:
            raise CommandError(_reason(refusal)) from None
        for change in changes:
            self._tell(change)
        # Deleting what is in use, and naming what is not there, is refused with --force as well.
        stopped = [one for one in changes if one.obstacle and not (options["force"] and one.yields)]
        refused = f", and {len(stopped)} of them would be refused" if stopped else ""
        self.stdout.write(f"{len(changes)} thing(s) differ{refused}; nothing was changed.")
        if changes:
            sys.exit(REFUSED if stopped else DIFFERS)

    def _apply(self, wanted: dict[str, Any], options: dict[str, Any]) -> None:
        number = apply_changes(wanted, actor=SYSTEM, prune=options["prune"], force=options["force"], done=self._tell)
        self.stdout.write(f"{number} thing(s) changed.")

    def _tell(self, change: Change) -> None:
        members = f" ({', '.join(sorted(change.values))})" if change.verb == "change" else ""
        obstacle = f": {change.obstacle}" if change.obstacle else ""
        self.stdout.write(f"{change.verb} {change.part}/{change.key}{members}{obstacle}")


def _reason(refusal: ApplicationError) -> str:
    told = [f"{detail.field}: {detail.message}" if detail.field else detail.message for detail in refusal.details]
    return "\n".join([refusal.text, *told])
