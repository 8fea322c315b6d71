"""`manage.py revalidate`: finds the resources that the present schema of their type would refuse."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from resources.models import Resource, ResourceType
from resources.schemas import compiled
from resources.services.misfits import misfits


class Command(BaseCommand):
    help = (
        "List the live resources that the present schema of their type would refuse, because the schema was changed "
        "by force or beside their last write. It changes nothing; such resources stay readable and are judged at "
        "their next write. Ends with code 1 when there are any."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--type", metavar="KEY", help="Look at this type alone.")

    def handle(self, *args: Any, **options: Any) -> None:
        kinds = ResourceType.objects.order_by("key")
        if options["type"]:
            kinds = kinds.filter(key=options["type"])
            if not kinds:
                raise CommandError(f"There is no type {options['type']}.")
        found = sum(self._look_at(kind) for kind in kinds)
        self.stdout.write(f"{found} resource(s) do not fit their type.")
        if found:
            sys.exit(1)

    def _look_at(self, kind: ResourceType) -> int:
        schema = compiled(kind.pk, kind.schema_version)
        number = Resource.objects.filter(type_id=kind.key).count()
        found = 0
        with tqdm(total=number, desc=kind.key, unit="row", disable=None) as progress:

            def is_refused(status: str, data: dict[str, Any]) -> bool:
                progress.update()
                return not schema.accepts(data)

            for row_id in misfits(kind.key, is_refused):
                self.stdout.write(f"{kind.key} {row_id}")
                found += 1
        return found
