"""`manage.py export_resources`: what a list shows somebody, as a file."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError

from core.models import Job
from resources.management.by_hand import done_by_hand, owner_of
from resources.services.exporting import FORMATS, request_export


class Command(BaseCommand):
    help = (
        "Write what the list of resources shows somebody to a file, as POST /exports does; whoever is an administrator "
        "sees everything. It changes no resource; the job, its file and its mail are that person's, and the file is "
        "kept with the job for seven days. A file that is there is replaced once the export is whole."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", help="Where the export goes, or - for what goes out.")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="Who sees what is exported.")
        parser.add_argument(
            "--type", metavar="KEY", help="Resources of this type alone, with a column for each property."
        )
        parser.add_argument("--format", choices=list(FORMATS), help="Left out: by the file's name.")
        parser.add_argument(
            "--filter",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="A parameter of GET /resources, such as status=sent or data.total.gte=100; may be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["file"]
        format_ = options["format"] or Path(name).suffix.lower().removeprefix(".")
        if format_ not in FORMATS:
            raise CommandError(f"Give --format: one of {', '.join(FORMATS)}.")
        actor = owner_of(options["owner"])
        filters = _filters(options["filter"], options["type"])

        def make() -> Job:
            return request_export(actor=actor, filters=filters, format=format_)

        job = done_by_hand(make, actor=actor, what=options["type"] or "resources", to=self.stderr)
        _copy(job, name)
        # What goes out may be the export itself.
        said = self.stderr if name == "-" else self.stdout
        said.write(f"{job.done:,} resource(s) exported as {format_}.")


def _filters(given: list[str], type_key: str | None) -> dict[str, list[str]]:
    filters: dict[str, list[str]] = {} if type_key is None else {"type": [type_key]}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or name == "type":
            raise CommandError(f"{one!r} is no filter: give NAME=VALUE, and the type as --type.")
        filters.setdefault(name, []).append(value)
    return filters


def _copy(job: Job, name: str) -> None:
    """Copy the job's file, for its owner alone; to its place by a rename, so that a half of it never stands there."""
    with default_storage.open(job.result) as result:
        if name == "-":
            shutil.copyfileobj(result, sys.stdout.buffer)
            return
        part = Path(f"{name}.part")
        try:
            part.touch(mode=0o600)
            with part.open("wb") as file:
                shutil.copyfileobj(result, file)
            part.replace(name)
        except OSError as error:
            raise CommandError(f"{name} cannot be written: {error.strerror}.") from None
