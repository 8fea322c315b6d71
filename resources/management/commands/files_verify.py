"""`manage.py files_verify`: whether rows and storage agree about files."""

import argparse
import sys
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from resources.services.file_checks import DAMAGED, LOST, UNKNOWN, Fault, faults, has_anything, number_of_rows, repair


class Command(BaseCommand):
    help = (
        "Compare the rows of files with the storage: contents that are lost, that have another size or hash, and those "
        "that no row has named for a day. It only looks, unless --repair is given: lost and damaged contents are then "
        "rejected (their owners are told, and a file shows its newest version that is left), pictures are made anew "
        "when asked for, and what no row names is deleted. Ends with code 1 when something is wrong and was not mended."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="Mend what is wrong.")
        parser.add_argument(
            "--sample",
            type=float,
            default=100.0,
            metavar="PERCENT",
            help="Of how many contents the hash is looked at; sizes are always compared. All of them unless said.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["sample"] <= 100:
            raise CommandError("--sample is a percentage: 0 to 100.")
        if options["repair"] and not has_anything():
            raise CommandError("The storage has none of the newest contents: see that it is the right one, and there.")
        rows = number_of_rows()
        found: Counter[str] = Counter()
        with tqdm(total=rows, desc="files", unit="row", disable=None, file=self.stderr) as progress:
            for fault in faults(sample=options["sample"], progress=progress.update):
                found[fault.kind] += 1
                self.stdout.write(_line(fault))
                if options["repair"]:
                    repair(fault)
        mended = " All mended." if options["repair"] and found else ""
        told = ", ".join(f"{found[kind]} {kind}" for kind in (LOST, DAMAGED, UNKNOWN))
        self.stdout.write(f"{rows} content(s) looked at: {told}.{mended}")
        if found and not options["repair"]:
            sys.exit(1)


def _line(fault: Fault) -> str:
    of = f" version {fault.version_id}" if fault.version_id else f" picture {fault.variant_id}"
    return f"{fault.kind} {fault.key}{of if fault.kind != UNKNOWN else ''}"
