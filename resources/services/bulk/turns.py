"""What changes of a batch want and one alone can have: who comes first gets it, as if each had been written in turn."""

from collections.abc import Sequence
from typing import Final

from django.db import connection

from core.errors import ApplicationError, Conflict, Detail, ValidationFailed
from core.permissions import Caller
from resources.services.bulk.changes import Change, Plan
from resources.services.side_rows import Claims, Refusals, unknown_targets

_NAMED: Final = """
SELECT resources.type, resources.owner_id, resources.external_id FROM resources
JOIN unnest(%s::text[], %s::uuid[], %s::text[]) AS wanted (type, owner_id, external_id)
     USING (type, owner_id, external_id)
WHERE deleted_at IS NULL
"""
_Name = tuple[str, object, str]


def refuse_late(op: str, plan: Plan, *, actor: Caller) -> None:
    """Take out of the plan what an external id, a reference or a unique value forbids, in this order, as writing does.

    Each is asked for all at once; a change that is refused takes nothing from those after it.
    """
    rows = [change.written for change in plan.changes if change.written is not None]
    # What comes back refers to what it did: whether that can still be seen, its own call does not ask either.
    unknown = {} if op == "restore" else unknown_targets(rows, actor)
    names, claims = _held_names(plan.changes), Claims.of(rows)
    kept = []
    for change in plan.changes:
        error = _refusal(change, names, unknown, claims)
        if error is None:
            _take_name(change, names)
            kept.append(change)
        else:
            plan.refuse(change.place, error)
    plan.changes = kept


def _refusal(change: Change, names: set[_Name], unknown: Refusals, claims: Claims) -> ApplicationError | None:
    if change.external_id is not None and _name(change, change.external_id) in names:
        return Conflict(details=[Detail("external_id", "unique", "This value is taken.")])
    if change.resource.id in unknown:
        return ValidationFailed(details=unknown[change.resource.id])
    late = claims.take(change.written) if change.written is not None else []
    return Conflict(details=late) if late else None


def _take_name(change: Change, names: set[_Name]) -> None:
    if change.external_id is not None:
        names.add(_name(change, change.external_id))
    if change.former_external_id is not None:
        names.discard(_name(change, change.former_external_id))


def _held_names(changes: Sequence[Change]) -> set[_Name]:
    wanted = [_name(change, change.external_id) for change in changes if change.external_id is not None]
    if not wanted:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [list(column) for column in zip(*wanted, strict=True)])
        return set(cursor.fetchall())


def _name(change: Change, external_id: str) -> _Name:
    return (change.resource.type_key, change.resource.owner_id, external_id)
