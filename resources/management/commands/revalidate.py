"""`manage.py revalidate`: finds the resources that the present schema of their type would refuse."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from resources.models import Resource, ResourceType
from resources.schemas import compiled
from resources.services.keyword_changes import out_of_step, put_in_step
from resources.services.misfits import misfits


class Command(BaseCommand):
    help = (
        "List the live resources that the present schema of their type would refuse, because the schema was changed "
        "by force or beside their last write, and those whose unique values or references are not in step with the "
        "rows that stand for them. It changes nothing; such resources stay readable and are judged at their next "
        "write. With --repair those rows are written anew, and what is to be encrypted is; of several with one value "
        "the oldest keeps it. Ends with code 1 when any are left."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--type", metavar="KEY", help="Look at this type alone.")
        parser.add_argument("--repair", action="store_true", help="Write unique values and references anew.")

    def handle(self, *args: Any, **options: Any) -> None:
        kinds = ResourceType.objects.order_by("key")
        if options["type"]:
            kinds = kinds.filter(key=options["type"])
            if not kinds:
                raise CommandError(f"There is no type {options['type']}.")
        if options["repair"]:
            for kind in kinds:
                put_in_step(kind.key, compiled(kind.pk, kind.schema_version).keywords)
        found = sum(self._look_at(kind) for kind in kinds)
        apart = sum(self._look_beside(kind) for kind in kinds)
        also = f" {apart} are out of step with the rows beside them." if apart else ""
        self.stdout.write(f"{found} resource(s) do not fit their type.{also}")
        if found or apart:
            sys.exit(1)

    def _look_beside(self, kind: ResourceType) -> int:
        found = 0
        for row_id in out_of_step(kind.key, compiled(kind.pk, kind.schema_version).keywords):
            self.stdout.write(f"{kind.key} {row_id} out of step")
            found += 1
        return found

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
