"""`manage.py config_export`: what staff decide, as files to keep under version control."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.configuration import PARTS, write_folder


class Command(BaseCommand):
    help = (
        f"Write the configuration ({', '.join(PARTS)}) into a folder: one JSON file for each thing, sorted, without "
        "secrets, the same bytes for the same configuration. It changes nothing in the database; config_apply is the "
        "way back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", metavar="FOLDER", default="configuration", help="Where to (./configuration).")
        parser.add_argument(
            "--prune",
            action="store_true",
            help="Remove the .json files of these parts that nothing stands for any more; without it they are named.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(options["to"])
        try:
            written = write_folder(folder, prune=options["prune"])
        except OSError as error:
            raise CommandError(f"{error.filename or folder}: {error.strerror}") from None
        for file in written.changed:
            self.stdout.write(f"wrote {file}")
        for file in written.stale:
            self.stdout.write(
                f"removed {file}" if options["prune"] else f"{file} stands for nothing; --prune removes it"
            )
        self.stdout.write(f"{written.files} file(s) in {folder}, {len(written.changed)} of them new or changed.")
