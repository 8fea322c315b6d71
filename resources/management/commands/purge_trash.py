"""`manage.py purge_trash`: removes for good the resources that have lain in the bin long enough."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from core import purge
from resources.models import Resource, ResourceType


class Command(BaseCommand):
    help = (
        "Remove for good, with their history, the resources that have lain in the bin for longer than the trash_days "
        "of their type. Only counts without --yes; the schedule does it each night, with everything else."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--type", metavar="KEY", help="Look at this type alone.")
        parser.add_argument("--yes", action="store_true", help="Really remove them.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = Resource.all_objects.past_the_bin()
        if options["type"]:
            if not ResourceType.objects.filter(key=options["type"]).exists():
                raise CommandError(f"There is no type {options['type']}.")
            rows = rows.filter(type_id=options["type"])
        number = rows.count()
        if not options["yes"]:
            self.stdout.write(f"Would remove {number} resource(s) from the bin; --yes does it.")
            return
        with tqdm(total=number, desc="bin", unit="row", disable=None, file=self.stderr) as progress:
            removed = purge.remove(rows, progress=progress.update)
        kept = f", {number - removed} kept: something still refers to them" if removed < number else ""
        self.stdout.write(f"Removed {removed} resource(s) from the bin{kept}.")
