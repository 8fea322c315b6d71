"""The rows that keywords keep beside records: unique values and references, in step with `data`.

Every function takes many records at once and runs a number of statements that does not grow with them.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from core.errors import Conflict, Detail, ValidationFailed
from core.identifiers import uuid7
from core.permissions import Caller
from resources.models import Resource, ResourceReference, UniqueValue
from resources.schemas.keywords import Keywords, Path, Reference, value_at

_TAKE: Final = """
INSERT INTO resource_unique_values (id, type, path, digest, resource_id)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bytea[], %s::uuid[])
ON CONFLICT (type, path, digest) DO NOTHING
RETURNING resource_id, path
"""
_HELD: Final = """
SELECT held.type, held.path, held.digest FROM resource_unique_values AS held
JOIN unnest(%s::text[], %s::text[], %s::bytea[]) AS wanted (type, path, digest) USING (type, path, digest)
"""
_LET_GO: Final = """
DELETE FROM resource_unique_values
USING unnest(%s::uuid[], %s::text[]) AS gone (resource_id, path)
WHERE resource_unique_values.resource_id = gone.resource_id AND resource_unique_values.path = gone.path
"""

# Locked, so that none of them goes to the bin between the look and the commit; others may look at the same time.
_HOLD: Final = """
SELECT id FROM resources WHERE id = ANY(%s) AND deleted_at IS NULL ORDER BY id FOR SHARE
"""


@dataclass(frozen=True, slots=True)
class Written:
    """A record that is being written: its data in clear, as it was and as it will be."""

    id: UUID
    type_key: str
    before: dict[str, Any]
    after: dict[str, Any]
    keywords: Keywords


@dataclass(frozen=True, slots=True)
class _Value:
    resource_id: UUID
    type_key: str
    path: str
    digest: bytes

    @property
    def key(self) -> "_Key":
        """Return what one record alone can have."""
        return (self.type_key, self.path, self.digest)


_Key = tuple[str, str, bytes]
Refusals = dict[UUID, list[Detail]]
"""What is wrong, by record."""


def digest_of(value: Any) -> bytes:
    """Return what two equal JSON values have in common, 1 and 1.0 too; text counts as it is written."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return hashlib.sha256(orjson.dumps(value) if _fits(value) else repr(value).encode()).digest()


def _fits(value: Any) -> bool:
    """Return whether a number is one that JSON writers here can write."""
    return not isinstance(value, int) or -(2**63) <= value < 2**64


def taken_values(rows: Sequence[Written]) -> Refusals:
    """Let go of the unique values that the rows no longer have and take the new ones; return who came too late.

    The unique index decides: of parallel writers one gets the value, the others wait for it and are refused.
    """
    changed = [(row, path) for row in rows for path in row.keywords.unique if _differs(row.before, row.after, path)]
    if not changed:
        return {}
    _let_go([(row.id, ".".join(path)) for row, path in changed if value_at(row.before, path) is not None])
    return _too_late(_not_taken(_wanted(rows)))


def unique_values(data: dict[str, Any], keywords: Keywords) -> set[tuple[str, bytes]]:
    """Return the unique values of the data, each as its path and digest."""
    found = ((path, value_at(data, path)) for path in keywords.unique)
    return {(".".join(path), digest_of(value)) for path, value in found if value is not None}


class Claims:
    """The unique values that records newly want, asked for once and taken in turn."""

    def __init__(self, held: set["_Key"]) -> None:
        self._held = held

    @classmethod
    def of(cls, rows: Sequence[Written]) -> "Claims":
        """Return the claims of the rows beside what others hold in the table."""
        wanted = _wanted(rows)
        if not wanted:
            return cls(set())
        columns = [list(column) for column in zip(*(value.key for value in wanted), strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(_HELD, columns)
            return cls({(type_key, path, bytes(digest)) for type_key, path, digest in cursor.fetchall()})

    def take(self, row: Written) -> list[Detail]:
        """Take what the row wants and let go of what it had; where another has some of it, take none and say so."""
        wanted = _ordered(_wanted([row]))
        late = [value for value in wanted if value.key in self._held]
        if late:
            return _too_late(late)[row.id]
        self._held -= {value.key for value in _wanted([replace(row, before=row.after, after=row.before)])}
        self._held |= {value.key for value in wanted}
        return []


def held_values(rows: Sequence[Written]) -> Refusals:
    """Return which of the unique values that the rows newly have are another's, in the table or earlier among them."""
    claims = Claims.of(rows)
    return {row.id: late for row, late in ((row, claims.take(row)) for row in rows) if late}


def unknown_targets(rows: Sequence[Written], actor: Caller) -> Refusals:
    """Return what the rows newly refer to and `actor` may not: not there, of another type, not readable, all alike.

    What is there is held until the transaction ends.
    """
    wanted = [
        (row, reference, target)
        for row in rows
        for reference in row.keywords.references
        for target in _new_targets(row, reference)
    ]
    if not wanted:
        return {}
    types = _readable({target for _, _, target in wanted if target is not None}, actor)
    refusals: Refusals = {}
    for row, reference, target in wanted:
        if target is None or types.get(target) != reference.type:
            detail = Detail(f"data.{'.'.join(reference.path)}", "does_not_exist", "There is no such resource.")
            if detail not in refusals.setdefault(row.id, []):
                refusals[row.id].append(detail)
    return {row_id: details for row_id, details in refusals.items() if details}


def keep_references(rows: Sequence[Written]) -> None:
    """Put the reference rows in step with the data of records that are in their table already."""
    changed = [
        (row, reference)
        for row in rows
        for reference in row.keywords.references
        if _differs(row.before, row.after, reference.path)
    ]
    if not changed:
        return
    before = {
        (row.id, ".".join(reference.path), target)
        for row, reference in changed
        for target in targets(row.before, reference)
    }
    if before:
        ids = [row.id for row, _ in changed]
        paths = {".".join(reference.path) for _, reference in changed}
        ResourceReference.objects.filter(resource_id__in=ids, path__in=paths).delete()
    add_references(
        ResourceReference(
            resource_id=row.id, path=".".join(reference.path), target_id=target, on_delete=reference.on_delete
        )
        for row, reference in changed
        for target in dict.fromkeys(targets(row.after, reference))
    )


def add_references(references: Iterable[ResourceReference]) -> None:
    """Insert those of the references whose target is there."""
    rows = list(references)
    known = set(Resource.all_objects.filter(id__in={row.target_id for row in rows}).values_list("id", flat=True))
    ResourceReference.objects.bulk_create(
        [row for row in rows if row.target_id in known], batch_size=1000, ignore_conflicts=True
    )


def give_back(resource: Resource) -> None:
    """Let go of the unique values of a record that goes to the bin."""
    UniqueValue.objects.filter(resource=resource).delete()


def refuse(refusals: Refusals, error: type[Conflict] | type[ValidationFailed]) -> None:
    """Raise the error with what is wrong with the first of the records."""
    for details in refusals.values():
        raise error(details=details)


def targets(data: dict[str, Any], reference: Reference) -> Iterator[UUID]:
    """Yield the ids that stand at a reference."""
    for value in _values(data, reference):
        target = _identifier(value)
        if target is not None:
            yield target


def _new_targets(row: Written, reference: Reference) -> Iterator[UUID | None]:
    """Yield what stands there now and did not before; None for what is no id."""
    known = set(map(str, _values(row.before, reference)))
    for value in _values(row.after, reference):
        if str(value) not in known:
            yield _identifier(value)


def _values(data: dict[str, Any], reference: Reference) -> list[Any]:
    value = value_at(data, reference.path)
    if reference.is_list:
        return [item for item in value if item is not None] if isinstance(value, list) else []
    return [] if value is None else [value]


def _identifier(value: Any) -> UUID | None:
    """Return the id that the text spells in the one form that the contract has."""
    try:
        found = UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and str(found) == value else None


def _readable(ids: set[UUID], actor: Caller) -> dict[UUID, str]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [list(ids)])
        held = [row[0] for row in cursor.fetchall()]
    return dict(Resource.objects.visible_to(actor).filter(id__in=held).order_by().values_list("id", "type_id"))


def _differs(before: dict[str, Any], after: dict[str, Any], path: Path) -> bool:
    was, now = value_at(before, path), value_at(after, path)
    return was != now or type(was) is not type(now)


def _wanted(rows: Sequence[Written]) -> list[_Value]:
    return [
        _Value(row.id, row.type_key, ".".join(path), digest_of(value_at(row.after, path)))
        for row in rows
        for path in row.keywords.unique
        if _differs(row.before, row.after, path) and value_at(row.after, path) is not None
    ]


def _ordered(values: Iterable[_Value]) -> list[_Value]:
    return sorted(values, key=lambda value: value.key)


def _too_late(values: Iterable[_Value]) -> Refusals:
    refusals: Refusals = {}
    for value in values:
        message = "Another one has this value already."
        refusals.setdefault(value.resource_id, []).append(Detail(f"data.{value.path}", "unique", message))
    return refusals


def _let_go(values: list[tuple[UUID, str]]) -> None:
    if values:
        with connection.cursor() as cursor:
            cursor.execute(_LET_GO, [[one for one, _ in values], [path for _, path in values]])


def _not_taken(wanted: list[_Value]) -> list[_Value]:
    """Take the values, in an order that no two writers can wait for each other in; return those that were taken."""
    if not wanted:
        return []
    ordered = _ordered(wanted)
    columns: list[Any] = [
        [uuid7() for _ in ordered],
        [value.type_key for value in ordered],
        [value.path for value in ordered],
        [value.digest for value in ordered],
        [value.resource_id for value in ordered],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, columns)
        got = set(cursor.fetchall())
    return [value for value in ordered if (value.resource_id, value.path) not in got]
