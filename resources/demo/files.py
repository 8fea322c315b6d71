"""The files of the demo world, really stored."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final
from uuid import UUID

from django.db import transaction

from resources.demo.types import INVOICE, PROJECT
from resources.models import File, Resource, ResourceFile
from resources.services.file_contents import examine, store
from resources.services.files import add_row

_FILES: Final = (
    (INVOICE, "terms.txt", b"Due within thirty days. Two percent less within ten.\n"),
    (PROJECT, "timetable.csv", b"week,what\n1,kick-off\n2,first draft\n5,handover\n"),
)


@transaction.atomic
def add_files(people: Sequence[UUID]) -> None:
    """Attach a file to the newest invoice and project of `people`, unless they have files already."""
    if File.objects.filter(owner_id__in=people).exists():
        return
    for type_key, name, content in _FILES:
        resource = Resource.objects.filter(owner_id__in=people, type_id=type_key).order_by("-id").first()
        if resource is not None:
            _attach(resource, name, content)


def _attach(resource: Resource, name: str, content: bytes) -> None:
    file = File.objects.create(owner_id=resource.owner_id, unattached_since=None)
    stream = BytesIO(content)
    found = examine(stream, name=name)
    add_row(file, number=1, name=name, found=found, key=store(stream))
    ResourceFile.objects.create(file=file, resource=resource, slot="")
