"""Whether shares know their resources as they are, which triggers see to; and mending, for tables that were loaded
without them."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q

from resources.models import Share, ShareQuerySet

_BATCH: Final = 1000
# Whoever names the resource again lets the trigger write what the share knows of it.
_MEND: Final = "UPDATE shares SET resource_id = resource_id WHERE id = ANY(%s)"


def out_of_step() -> ShareQuerySet:
    """Return the shares that know their resource otherwise than it is."""
    same = Q(
        resource_owner_id=F("resource__owner_id"),
        resource_type=F("resource__type_id"),
        resource_visibility=F("resource__visibility"),
        resource_created_at=F("resource__created_at"),
    )
    same &= Q(resource_in_bin=True, resource__deleted_at__isnull=False) | Q(
        resource_in_bin=False, resource__deleted_at__isnull=True
    )
    return Share.objects.exclude(same)


def mend() -> int:
    """Let the shares that are out of step take what they need from their resources; return how many there were."""
    return sum(_mend(ids) for ids in _batches(list(out_of_step().order_by("id").values_list("id", flat=True))))


def _batches(ids: list[UUID]) -> Iterator[list[UUID]]:
    yield from (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


@transaction.atomic
def _mend(ids: list[UUID]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_MEND, [ids])
        return int(cursor.rowcount)
