"""`manage.py import_resources`: the rows of a file as somebody's resources."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError

from core.models import Job
from resources.management.by_hand import done_by_hand, harmless, owner_of
from resources.services.importing import BY_SUFFIX, CREATE, FORMATS, MODES, request_import


class Command(BaseCommand):
    help = (
        "Write the rows of a file as resources of a type and an owner, as POST /imports does: the same rows are at "
        "fault, the same versions and events are written, and the owner is told by mail. A row that is at fault is "
        "left out. Stopped from the keyboard it leaves what its steps have written; killed, a worker goes on within "
        "five minutes. Ends with code 1 when any row was at fault."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", help="The file, or - for what comes in.")
        parser.add_argument("--type", required=True, metavar="KEY", help="The type of every row.")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="Whose the resources will be.")
        parser.add_argument("--format", choices=FORMATS, help="Left out: by the file's name.")
        parser.add_argument("--mode", choices=MODES, default=CREATE, help="What becomes of a row (create).")
        parser.add_argument("--dry-run", action="store_true", help="Tell the same, and change nothing.")
        parser.add_argument(
            "--faults", metavar="FILE", help="Where the table of faults goes; left out, its beginning is printed."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["file"]
        format_ = options["format"] or BY_SUFFIX.get(Path(name).suffix.lower())
        if format_ is None:
            raise CommandError("The file's name does not tell its format: give --format.")
        actor = owner_of(options["owner"])
        with _opened(name) as file:

            def make() -> Job:
                return request_import(
                    actor=actor,
                    file=file,
                    filename=Path(name).name,
                    format=format_,
                    type_key=options["type"],
                    mode=options["mode"],
                    dry_run=options["dry_run"],
                )

            job = done_by_hand(make, actor=actor, what=options["type"], to=self.stderr)
        self._tell(job, options)

    def _tell(self, job: Job, options: dict[str, Any]) -> None:
        if job.result:
            self._write_faults(job, options["faults"])
        verb = "would be written" if options["dry_run"] else "written"
        self.stdout.write(f"{job.done:,} row(s): {job.done - job.failed:,} {verb}, {job.failed:,} at fault.")
        if job.failed:
            sys.exit(1)

    def _write_faults(self, job: Job, to: str | None) -> None:
        with default_storage.open(job.result) as table:
            if to is not None:
                Path(to).touch(mode=0o600)
                with Path(to).open("wb") as file:
                    shutil.copyfileobj(table, file)
                return
            for line in table.read(4096).decode(errors="ignore").splitlines()[:11]:
                self.stderr.write(harmless(line))


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    """Yield the file; what comes in is kept beside, because it is looked through before it is read."""
    if name != "-":
        if not os.access(name, os.R_OK) or not Path(name).is_file():
            raise CommandError(f"{name} is no file that can be read.")
        with Path(name).open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.seek(0)
        yield kept
