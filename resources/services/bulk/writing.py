"""The statements that write a batch: the records, what stands beside them, their versions and their events."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson
from django.db import IntegrityError, connection

from core.copying import array, copy_rows
from core.events import Telling, publish_many
from core.identifiers import uuid7
from core.permissions import Caller
from resources.changes import difference
from resources.models import Resource, UniqueValue
from resources.services.bulk.changes import Change
from resources.services.side_rows import keep_references, taken_values
from resources.services.writing import CREATED, is_first_by_owner, keywords_of, state_of, told_of

_ACTIONS: Final = {
    "create": CREATED,
    "update": "updated",
    "delete": "deleted",
    "restore": "restored",
    "transition": "transitioned",
}
"""What the versions and the events call each operation."""

_RESOURCE: Final = (
    *("id", "type", "owner_id", "name", "description", "status", "visibility", "data", "tags", "external_id"),
    "schema_version",
)
_VERSION: Final = ("id", "resource_id", "number", "action", "actor_id", "snapshot", "changed")

_UPDATE: Final = """
UPDATE resources SET name = new.name, description = new.description, visibility = new.visibility,
    data = new.data::jsonb, tags = new.tags::text[], external_id = new.external_id,
    schema_version = new.schema_version, version = new.version
FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
     AS new (id, version, schema_version, name, description, visibility, data, tags, external_id)
WHERE resources.id = new.id
"""
_MOVE: Final = """
UPDATE resources SET version = new.version, deleted_at = new.deleted_at, deleted_by_id = new.deleted_by,
    delete_op = new.delete_op
FROM unnest(%s::uuid[], %s::int[], %s::timestamptz[], %s::uuid[], %s::uuid[])
     AS new (id, version, deleted_at, deleted_by, delete_op)
WHERE resources.id = new.id
"""
_TRANSIT: Final = """
UPDATE resources SET version = new.version, schema_version = new.schema_version, status = new.status
FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::text[]) AS new (id, version, schema_version, status)
WHERE resources.id = new.id
"""


def write(op: str, changes: Sequence[Change], *, actor: Caller) -> None:
    """Write the changes, which are of this kind; raises `IntegrityError` where one came too late."""
    if not changes:
        return
    _WRITERS[op]([change.resource for change in changes])
    rows = [change.written for change in changes if change.written is not None]
    # What was in the bin kept its references, and let go of its unique values.
    if op != "restore":
        keep_references(rows)
    if taken_values(rows):
        raise IntegrityError("A unique value was taken in this moment.")
    _record(_ACTIONS[op], changes, actor)


def _create(resources: Sequence[Resource]) -> None:
    copy_rows(
        "resources",
        _RESOURCE,
        (
            (
                *(one.id, one.type_key, one.owner_id, one.name, one.description, one.status, one.visibility),
                *(_json(one.data), array(one.tags), one.external_id, one.schema_version),
            )
            for one in resources
        ),
    )


def _update(resources: Sequence[Resource]) -> None:
    _run(
        _UPDATE,
        (
            (
                *(one.id, one.version, one.schema_version, one.name, one.description, one.visibility),
                *(_json(one.data), array(one.tags), one.external_id),
            )
            for one in resources
        ),
    )


def _transit(resources: Sequence[Resource]) -> None:
    _run(_TRANSIT, ((one.id, one.version, one.schema_version, one.status) for one in resources))


def _delete(resources: Sequence[Resource]) -> None:
    _move(resources)
    unique = [one.id for one in resources if keywords_of(one).unique]
    if unique:
        UniqueValue.objects.filter(resource_id__in=unique).delete()


def _move(resources: Sequence[Resource]) -> None:
    _run(_MOVE, ((one.id, one.version, one.deleted_at, one.deleted_by_id, one.delete_op) for one in resources))


def _run(statement: str, rows: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _record(action: str, changes: Sequence[Change], actor: Caller) -> None:
    """Write the version and the event of each change, as `record` does of one."""
    versions, tellings = [], []
    for change in changes:
        resource, after = change.resource, state_of(change.resource)
        old, new = difference(change.before, after)
        if not is_first_by_owner(resource, action, actor):
            changed = array(sorted({**old, **new}))
            versions.append((uuid7(), resource.id, resource.version, action, actor.id, _json(after), changed))
        if change.keywords.read:
            facts = {**told_of(resource.id, change.before, after, change.keywords), **change.told}
        else:
            facts = {"before": old, "after": new, **change.told}
        tellings.append(Telling(resource.id, _json(facts), change.audience))
    if versions:
        copy_rows("resource_versions", _VERSION, versions)
    # In the queue that each alone would be in: somebody has just done this, and others wait to hear of it.
    publish_many(f"resource.{action}", subject_type="resource", actor=actor, tellings=tellings, queue="")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


_WRITERS: Final[dict[str, Callable[[Sequence[Resource]], None]]] = {
    "create": _create,
    "update": _update,
    "delete": _delete,
    "restore": _move,
    "transition": _transit,
}
