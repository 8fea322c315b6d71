"""What of a type's records has yet to follow its schema: written down with the change, struck out when they have.

The jobs that see to it can be cancelled, or fail. What is written down stays, is shown to staff, and gets a new job
within the hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from core.jobs import create_job
from core.models import Job
from core.permissions import SYSTEM, Caller
from resources.models import SEARCH, SHARES, VALUES, ResourceType, SchemaFollowing

_WRITE: Final = """
INSERT INTO schema_followings (type, work, schema_version, is_closing) VALUES (%s, %s, %s, %s)
ON CONFLICT (type, work) DO UPDATE
SET schema_version = excluded.schema_version, is_closing = schema_followings.is_closing OR excluded.is_closing
"""
# Who has looked at a type may write by what it was then, an import seconds later. A dump looks at everything for hours,
# and writes nothing.
_WRITERS: Final = """
SELECT DISTINCT virtualtransaction FROM pg_locks JOIN pg_stat_activity AS session USING (pid)
WHERE locktype = 'relation' AND pid <> pg_backend_pid() AND application_name <> 'pg_dump'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (relation = 'resource_types'::regclass OR (relation = 'resources'::regclass AND mode = 'RowExclusiveLock'))
"""

KINDS: Final = {
    SEARCH: "resources.reindex_search",
    SHARES: "resources.follow_shares",
    VALUES: "resources.follow_schema",
}
"""The jobs that see to it."""

PAUSE_SECONDS: Final = 0.2
"""How long a job waits before it looks again who is left."""

_IN_FLIGHT: Final = timedelta(minutes=10)
"""How long before the change a write may have begun that went by the schema before; no transaction lasts as long."""


@dataclass(frozen=True, slots=True)
class Following:
    """What of a type's records has yet to follow, for staff; and whether a job is at it."""

    type_key: str
    work: str
    schema_version: int
    has_job: bool

    def __str__(self) -> str:
        return f"{self.work} since schema {self.schema_version}{'' if self.has_job else ', no job is at it'}"


def told() -> Sequence[Following]:
    """Return what has yet to follow, type by type."""
    jobs = set(Job.objects.unfinished().filter(kind__in=KINDS.values()).values_list("kind", "parameters__type"))
    return [
        Following(row.type_id, row.work, row.schema_version, (KINDS[row.work], row.type_id) in jobs)
        for row in SchemaFollowing.objects.order_by("type_id", "work")
    ]


def begin(kind: ResourceType, work: str, *, actor: Caller, is_closing: bool = False) -> None:
    """Write down that the type's records have to follow its schema, and promise the job, in the caller's transaction.

    `is_closing`: whether vectors of full text may hold what nobody is to find any more.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [kind.key, work, kind.schema_version, is_closing])
    create_job(KINDS[work], actor=actor, parameters=_parameters(kind.key, timezone.now()))


def end(type_key: str, work: str, *, schema_version: int) -> None:
    """Strike out what was to follow this version of the schema; what a later one asks for stays."""
    SchemaFollowing.objects.filter(type__key=type_key, work=work, schema_version__lte=schema_version).delete()


def writers() -> list[str]:
    """Return who may be writing records now by a schema that has changed since: their transactions."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS)
        return [name for (name,) in cursor.fetchall()]


def is_any_left(earlier: list[str]) -> bool:
    """Return whether one of those who were writing then still is."""
    return bool(earlier) and not set(earlier).isdisjoint(writers())


def resume() -> int:
    """Promise a job for everything that is written down and has none; return how many."""
    return sum(_resume(row) for row in SchemaFollowing.objects.order_by("type_id", "work"))


@transaction.atomic
def _resume(row: SchemaFollowing) -> bool:
    present = SchemaFollowing.objects.select_for_update().filter(pk=row.pk).first()
    kind = KINDS[row.work]
    if present is None or Job.objects.unfinished().filter(kind=kind, parameters__type=row.type_id).exists():
        return False
    create_job(kind, actor=SYSTEM, parameters=_parameters(present.type_id, present.updated_at))
    return True


def _parameters(type_key: str, changed_at: datetime) -> dict[str, Any]:
    return {"type": type_key, "since": int((changed_at - _IN_FLIGHT).timestamp() * 1000)}
