"""The records of a type after its schema has changed: sealed, opened, and given their rows beside them, by a job.

What a few records need is done with the change. Of many the job does it in slices: field rules hide and new writes are
sealed from the change on, and what was there before follows. It works toward the schema that the type has by then,
so that two jobs for two changes agree.
"""

import time
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core.jobs import Done, Work
from resources.models import VALUES, Resource, ResourceReference, ResourceType, ResourceVersion, UniqueValue
from resources.schemas import Keywords
from resources.services import followings
from resources.services.keyword_changes import (
    STORE_DATA,
    STORE_SNAPSHOT,
    fill,
    keep_quiet,
    store_sealed,
)

KIND: Final = followings.KINDS[VALUES]

AT_ONCE: Final = 2_000
"""So many records and versions are rewritten with the change itself: about a second."""

_SLICE: Final = 500
_FIRST: Final = UUID(int=0)
_RECORDS: Final = "records"
_VERSIONS: Final = "versions"


def has_much_to_follow(key: str, old: Keywords, new: Keywords) -> bool:
    """Return whether a change of keywords asks more of the records of a type than there is time for in a request."""
    if (set(old.encrypted), old.unique, old.references) == (set(new.encrypted), new.unique, new.references):
        return False
    rows = Resource.all_objects.filter(type__key=key).order_by()[: AT_ONCE + 1].count()
    versions = ResourceVersion.objects.filter(resource__type__key=key).order_by()[: AT_ONCE + 1]
    return rows > AT_ONCE or (bool(rows) and set(old.encrypted) != set(new.encrypted) and versions.count() > AT_ONCE)


def follow_next(work: Work) -> Done | None:
    """Bring the next rows of the job's type in step with its present schema.

    Records first, then their versions, of which a record may have left the first one as it was; then once more what was
    written since shortly before the change, by somebody who may have gone by the schema before.
    """
    key = work.parameters["type"]
    kind = ResourceType.objects.filter(key=key).first()
    if kind is None:
        return Done()
    if work.total is None:
        work.checkpoint |= {"schema_version": kind.schema_version, "writers": followings.writers()}
        work.total = Resource.all_objects.filter(type__key=key).count()
        work.total += ResourceVersion.objects.filter(resource__type__key=key).count()
    part, after = work.checkpoint.get("part", _RECORDS), UUID(work.checkpoint.get("after", str(_FIRST)))
    last = (_records if part == _RECORDS else _versions)(key, Keywords.of(kind.schema), after, work)
    if last is not None:
        work.checkpoint |= {"part": part, "after": str(last)}
        return None
    return _next_part(work, part)


def _next_part(work: Work, part: str) -> Done | None:
    start = str(_FIRST) if not work.checkpoint.get("again") else str(_identifier_at(work.parameters["since"]))
    if part == _RECORDS:
        work.checkpoint |= {"part": _VERSIONS, "after": start}
        return None
    if work.checkpoint.get("again"):
        # A job of the release before does not know which schema it began with: another one will tell.
        version = work.checkpoint.get("schema_version", 0)
        followings.end(work.parameters["type"], VALUES, schema_version=version)
        return Done()
    if followings.is_any_left(work.checkpoint.get("writers", [])):
        # What they write by the schema before is not there yet to be looked at.
        time.sleep(followings.PAUSE_SECONDS)
        return None
    work.checkpoint |= {"part": _RECORDS, "after": str(_FIRST), "again": True}
    return None


def _records(key: str, keywords: Keywords, after: UUID, work: Work) -> UUID | None:
    """Seal and index the next records, locked; return the last of them, or None where there are no more."""
    rows = Resource.all_objects.filter(type__key=key, id__gt=after).order_by("id")
    if work.checkpoint.get("again"):
        # Somebody who had looked at the type before may have written an old record after the first pass came by.
        rows = rows.filter(updated_at__gte=datetime.fromtimestamp(work.parameters["since"] / 1000, UTC))
    found = _locked(rows.values_list("id", "id", "data", "deleted_at"))
    store_sealed(STORE_DATA, [row[:3] for row in found], keywords.encrypted)
    live = [(row_id, data) for row_id, _, data, deleted_at in found if deleted_at is None]
    ids = [row_id for row_id, _ in live]
    UniqueValue.objects.filter(resource_id__in=ids).delete()
    ResourceReference.objects.filter(resource_id__in=ids).delete()
    if keywords.unique or keywords.references:
        misfits = fill(key, live, keywords)
        work.failed += 0 if work.checkpoint.get("again") else len(misfits)
    return _counted(found, work)


def _versions(key: str, keywords: Keywords, after: UUID, work: Work) -> UUID | None:
    rows = ResourceVersion.objects.filter(resource__type__key=key, id__gt=after).order_by("id")
    found = _locked(rows.values_list("id", "resource_id", "snapshot__data"))
    store_sealed(STORE_SNAPSHOT, found, keywords.encrypted)
    return _counted(found, work)


def _locked(rows: Any) -> list[Any]:
    with connection.cursor() as cursor:
        # Of a type with few rows among many the next ones may lie far away.
        cursor.execute("SET LOCAL statement_timeout = 0")
    keep_quiet()
    return list(rows.select_for_update(of=("self",), no_key=True)[:_SLICE])


def _counted(found: list[Any], work: Work) -> UUID | None:
    if not found:
        return None
    if not work.checkpoint.get("again"):
        work.done += len(found)
    last: UUID = found[-1][0]
    return last


def _identifier_at(milliseconds: int) -> UUID:
    """Return what every id is greater than that was made from this moment on."""
    return UUID(int=milliseconds << 80)
