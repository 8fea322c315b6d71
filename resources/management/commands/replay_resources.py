"""`manage.py replay_resources`: whether the event log tells the same of resources as their table."""

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from resources.models import Resource, ResourceQuerySet
from resources.services.rebuilding import Comparison, compare_with_log


class Command(BaseCommand):
    help = (
        "Rebuild resources from the events of their writes and compare them with their rows: what was written past "
        "the services is found. It changes nothing. Resources whose first writes are in months of the log that were "
        "dropped cannot be rebuilt, and are counted apart. Ends with code 1 when any differ."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("id", nargs="*", type=UUID, help="These resources; none: all, the bin included.")
        parser.add_argument("--type", metavar="KEY", help="Resources of this type alone.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = self._chosen(options["id"], options["type"])
        same = differing = partial = 0
        with tqdm(total=rows.count(), unit="row", disable=None, file=self.stderr) as progress:
            for found in compare_with_log(rows):
                progress.update()
                self._tell(found)
                partial += not found.is_whole
                differing += bool(found.paths)
                same += found.is_whole and not found.paths
        facts = f"{same} resource(s) as the log tells, {differing} otherwise, {partial} not in the log from the first."
        if differing:
            raise CommandError(facts)
        self.stdout.write(facts)

    def _chosen(self, ids: list[UUID], key: str | None) -> ResourceQuerySet:
        rows: ResourceQuerySet = Resource.all_objects.get_queryset()
        if ids:
            rows = rows.filter(id__in=ids)
            missing = set(ids) - set(rows.values_list("id", flat=True))
            if missing:
                raise CommandError(f"There is no resource {', '.join(map(str, sorted(missing)))}.")
        return rows.filter(type__key=key) if key else rows

    def _tell(self, found: Comparison) -> None:
        if found.paths:
            self.stdout.write(f"{found.resource_id}: {', '.join(found.paths)}")
