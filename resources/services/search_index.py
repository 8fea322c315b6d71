"""What full-text search finds of `data`, by the schema of its type; the vectors of the rows follow in batches."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from core.jobs import Done, Work
from core.permissions import Caller
from resources.models import SEARCH, Resource, ResourceType
from resources.schemas.keywords import Keywords
from resources.services import followings

KIND: Final = followings.KINDS[SEARCH]

_BATCH: Final = 1_000
_REST: Final = "C"
"""What a value weighs of which the schema says nothing."""

_STALE: Final = "search IS DISTINCT FROM nook_search_of(type, name, description, tags, data)"
_BATCH_OF: Final = """
batch AS (SELECT id FROM resources WHERE type = %(type)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
          FOR NO KEY UPDATE)
"""
_COUNT: Final = f"""
WITH {_BATCH_OF.replace("FOR NO KEY UPDATE", "")}
SELECT (SELECT max(id::text) FROM batch), (SELECT count(*) FROM batch),
       (SELECT count(*) FROM resources JOIN batch USING (id) WHERE {_STALE})
"""  # noqa: S608  # constants of ours
_WRITE: Final = f"""
WITH {_BATCH_OF},
     written AS (UPDATE resources SET search = nook_search_of(type, name, description, tags, data)
                 FROM batch WHERE resources.id = batch.id AND {_STALE} RETURNING 1)
SELECT (SELECT max(id::text) FROM batch), (SELECT count(*) FROM batch), (SELECT count(*) FROM written)
"""  # noqa: S608  # as above


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows that were looked at: the last one's id, how many they were, how many of them were stale."""

    last: UUID
    looked_at: int
    stale: int


def stored_plan(keywords: Keywords) -> list[dict[str, Any]] | None:
    """Return what the trigger goes by: weights, and what is never found; None for a schema that says nothing of it.

    One vector serves every reader, so what has a rule of reading is in none; what is encrypted is no text.
    """
    found = [{"path": list(one.path), "weight": one.weight} for one in keywords.search if one.weight != _REST]
    closed = sorted({*keywords.encrypted, *(rule.path for rule in keywords.read)})
    return [*found, *({"path": list(path), "weight": None} for path in closed)] or None


def follow_schema(kind: ResourceType, *, actor: Caller) -> None:
    """Keep the plan of the type's present schema, and have its rows follow, in the caller's transaction."""
    plan = stored_plan(Keywords.of(kind.schema))
    if plan != kind.search_plan:
        is_closing = not _closed(plan) <= _closed(kind.search_plan)
        kind.search_plan = plan
        kind.save(update_fields=["search_plan"])
        followings.begin(kind, SEARCH, actor=actor, is_closing=is_closing)


def _closed(plan: list[dict[str, Any]] | None) -> set[tuple[str, ...]]:
    """Return the paths of which nothing is found."""
    return {tuple(one["path"]) for one in plan or () if one["weight"] is None}


def reindex_next(work: Work) -> Done | None:
    """Write the next rows of the job's type anew, once everybody has ended who may write by the schema before."""
    key = work.parameters["type"]
    if work.total is None:
        work.total = Resource.all_objects.filter(type_id=key).count()
        work.checkpoint |= {"schema_version": _version_of(key), "writers": followings.writers()}
    if followings.is_any_left(work.checkpoint.get("writers", [])):
        time.sleep(followings.PAUSE_SECONDS)
        return None
    batch = _batch(_WRITE, key, UUID(work.checkpoint.get("after", UUID(int=0).hex)))
    if batch is None:
        followings.end(key, SEARCH, schema_version=work.checkpoint.get("schema_version", 0))
        return Done()
    work.checkpoint |= {"after": str(batch.last), "writers": []}
    work.done += batch.looked_at
    return None


def reindex(type_key: str, *, is_dry: bool) -> Iterator[Batch]:
    """Write every row of the type anew whose vector is not what it should be, a batch in each transaction."""
    last = UUID(int=0)
    version, writers = _version_of(type_key), [] if is_dry else followings.writers()
    while followings.is_any_left(writers):
        time.sleep(followings.PAUSE_SECONDS)
    while True:
        with transaction.atomic():
            batch = _batch(_COUNT if is_dry else _WRITE, type_key, last)
        if batch is None:
            break
        yield batch
        last = batch.last
    if not is_dry:
        followings.end(type_key, SEARCH, schema_version=version)


def _version_of(type_key: str) -> int:
    """Return the version of the type's schema; what is written from now on follows it, or a later one."""
    return ResourceType.objects.filter(key=type_key).values_list("schema_version", flat=True).first() or 0


def _batch(statement: str, type_key: str, after: UUID) -> Batch | None:
    with connection.cursor() as cursor:
        # Of a type with few rows among many the next ones may lie far away.
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL nook.reindexing = 'on'")
        cursor.execute(statement, {"type": type_key, "after": after, "limit": _BATCH})
        last, looked_at, stale = cursor.fetchone()
        # What follows in the transaction is an ordinary write again.
        cursor.execute("SET LOCAL nook.reindexing = 'off'")
    return None if last is None else Batch(UUID(last), looked_at, stale)
