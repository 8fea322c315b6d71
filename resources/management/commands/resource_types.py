"""`manage.py resource_types`: what types there are, one of them whole, or a new one from a file."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from core.configuration import PARTS
from core.configuration.folder import as_text, read_document
from core.errors import ApplicationError
from core.permissions import SYSTEM
from resources.configuration import Types
from resources.models import Resource, ResourceType
from resources.services import followings


class Command(BaseCommand):
    help = (
        "List the resource types with how many resources they have, live and in the bin; show one whole, as JSON; or "
        "make one from a file as config_export writes it. Only --create changes anything, and it changes no type "
        "that is there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", nargs="?", help="Show this type.")
        parser.add_argument("--create", metavar="FILE", help="Make the type that the JSON file describes.")
        parser.add_argument("--json", action="store_true", help="List as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["create"]:
            self._create(Path(options["create"]))
        elif options["key"]:
            self._show(options["key"])
        else:
            self._list(as_json=options["json"])

    def _create(self, file: Path) -> None:
        part = PARTS[Types.name]
        try:
            document = part.complete(read_document(file))
            part.create(SYSTEM, document)
        except ApplicationError as refusal:
            told = [f"{detail.field}: {detail.message}" for detail in refusal.details]
            raise CommandError("\n".join([refusal.text, *told])) from None
        self.stdout.write(f"Type {document['key']} created.")

    def _show(self, key: str) -> None:
        document = next((one for one in PARTS[Types.name].stored() if one["key"] == key), None)
        if document is None:
            raise CommandError(f"There is no type {key}.")
        self.stdout.write(as_text(document), ending="")

    def _list(self, *, as_json: bool) -> None:
        told = followings.told()
        rows = [_row(kind, [str(one) for one in told if one.type_key == kind.key]) for kind in _counted()]
        if as_json:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        width = max(len(row["key"]) for row in rows)
        for row in rows:
            self.stdout.write(
                f"{row['key']:{width}}  schema {row['schema_version']}, {row['resources']:,} resource(s), "
                f"{row['in_bin']:,} in the bin, {row['name']}"
            )
            for one in row["yet_to_follow"]:
                self.stdout.write(f"{'':{width}}  yet to follow: {one}")
        self.stdout.write(f"{len(rows)} type(s).")


def _counted() -> QuerySet[ResourceType]:
    return ResourceType.objects.annotate(
        live_number=_number_of(Resource.all_objects.alive()), bin_number=_number_of(Resource.all_objects.dead())
    ).order_by("key")


def _number_of(rows: QuerySet[Resource]) -> Coalesce:
    counted = rows.filter(type_id=OuterRef("key")).order_by().values("type_id").annotate(number=Count("pk"))
    return Coalesce(Subquery(counted.values("number"), output_field=IntegerField()), 0)


def _row(kind: Any, yet_to_follow: list[str]) -> dict[str, Any]:
    return {
        "key": kind.key,
        "name": kind.name,
        "schema_version": kind.schema_version,
        "resources": kind.live_number,
        "in_bin": kind.bin_number,
        "yet_to_follow": yet_to_follow,
    }
