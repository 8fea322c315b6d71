"""`manage.py reindex_search`: writes the search vectors anew that are not what the types say."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from resources.models import Resource, ResourceType
from resources.services.search_index import reindex


class Command(BaseCommand):
    help = (
        "Write what full-text search finds of resources anew, where it is not what the schema (x-search, x-read, "
        "x-encrypted) says; every resource is looked at, the bin included, and those that are right are left alone. "
        "A changed schema starts the same work as a job. Can be stopped and run again at any time."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--type", metavar="KEY", help="Look at this type alone.")
        parser.add_argument("--dry-run", action="store_true", help="Only count what would be written.")

    def handle(self, *args: Any, **options: Any) -> None:
        kinds = ResourceType.objects.order_by("key")
        if options["type"]:
            kinds = kinds.filter(key=options["type"])
            if not kinds:
                raise CommandError(f"There is no type {options['type']}.")
        keys = list(kinds.values_list("key", flat=True))
        looked_at = stale = 0
        with tqdm(
            total=Resource.all_objects.filter(type_id__in=keys).count(),
            desc="search",
            unit="row",
            disable=None,
            file=self.stderr,
        ) as progress:
            for key in keys:
                for batch in reindex(key, is_dry=options["dry_run"]):
                    looked_at, stale = looked_at + batch.looked_at, stale + batch.stale
                    progress.update(batch.looked_at)
        verb = "would be written" if options["dry_run"] else "written"
        self.stdout.write(f"{looked_at} resource(s) looked at, {stale} {verb} anew.")
