"""Whether shares know their resources as they are, which triggers see to; and mending, for tables that were loaded
without them, and for values that a changed schema has them keep."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from resources.models import Share, ShareQuerySet

_BATCH: Final = 1000
_OUT_OF_STEP: Final = """
SELECT one.id
FROM shares AS one JOIN resources AS its ON its.id = one.resource_id JOIN resource_types AS kind ON kind.key = its.type
CROSS JOIN LATERAL nook_share_data(its.data, kind.share_plan) AS kept
WHERE (one.resource_owner_id, one.resource_type, one.resource_visibility, one.resource_created_at, one.resource_in_bin,
       one.resource_status, one.resource_data, one.resource_data_since)
      IS DISTINCT FROM
      (its.owner_id, its.type, its.visibility, its.created_at, its.deleted_at IS NOT NULL,
       its.status, kept, CASE WHEN kept IS NOT NULL THEN (kind.share_plan ->> 'since')::int END)
"""
# The resources before their shares, as in every write of a resource: two that lock both never wait in a circle.
_HOLD: Final = "SELECT FROM resources WHERE id = ANY(%s) ORDER BY id FOR SHARE"
# Whoever names the resource again lets the trigger write what the share knows of it.
_TAKE: Final = "UPDATE shares SET resource_id = resource_id WHERE id = ANY(%s)"


def out_of_step() -> ShareQuerySet:
    """Return the shares that know their resource otherwise than it is, or keep other values than the type's plan says.

    Those that have yet to follow a changed schema are among them.
    """
    return Share.objects.filter(id__in=RawSQL(_OUT_OF_STEP, []))  # noqa: S611  # a constant of ours


def mend() -> int:
    """Let the shares that are out of step take what they need from their resources; return how many there were."""
    return sum(map(_mend, _batches(list(out_of_step().order_by("id").values_list("id", flat=True)))))


def _batches(ids: list[UUID]) -> Iterator[list[UUID]]:
    yield from (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


@transaction.atomic
def _mend(ids: list[UUID]) -> int:
    return take_anew(Share.objects.filter(id__in=ids))


def take_anew(shares: ShareQuerySet) -> int:
    """Let these shares, a thousand at most, take what they know from their resources, in the transaction at hand.

    Return how many there were.
    """
    found = dict(shares.values_list("id", "resource_id"))
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [list(found.values())])
        cursor.execute(_TAKE, [list(found)])
        return int(cursor.rowcount)
