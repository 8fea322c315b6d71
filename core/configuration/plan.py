"""What has to happen so that the database is as the files say, and doing it: all of it or nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from django.db import connection, transaction

from core.configuration.parts import PARTS, Document, Part
from core.permissions import Caller

_LOCK: Final = 6_231_847_502_113
"""One applies at a time: a number that nothing else locks."""

_ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs. `obstacle` says what stands against it, `yields` whether force helps."""

    part: str
    key: str
    verb: Literal["create", "change", "delete"]
    values: Document = field(default_factory=dict)
    obstacle: str = ""
    yields: bool = False


def changes_between(wanted: Mapping[str, Mapping[str, Document]], *, prune: bool) -> list[Change]:
    """Return what differs, in the order in which it can be done; deletions, with `prune` alone, come last.

    A part that `wanted` does not name stays as it is.
    """
    there = {part.name: _keys_of(part, wanted.get(part.name), prune=prune) for part in PARTS.values()}
    changes = [change for part in _parts(wanted) for change in _written(part, wanted[part.name], there)]
    if prune:
        for part in reversed(_parts(wanted)):
            changes += _deleted(part, wanted[part.name])
    return changes


@transaction.atomic
def apply_changes(
    wanted: Mapping[str, Mapping[str, Document]],
    *,
    actor: Caller,
    prune: bool,
    force: bool,
    done: Callable[[Change], object],
) -> int:
    """Make the database as `wanted`, in one transaction, by the services; return how many things changed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    changed: set[tuple[str, str]] = set()
    # What names others of its part that were not there yet is finished in a second round.
    for _ in range(_ROUNDS):
        changes = changes_between(wanted, prune=prune)
        for change in changes:
            _do(change, actor, force=force)
            done(change)
        changed |= {(change.part, change.key) for change in changes}
    return len(changed)


def _parts(wanted: Mapping[str, Any]) -> list[Part]:
    return [part for part in PARTS.values() if part.name in wanted]


def _keys_of(part: Part, wanted: Mapping[str, Document] | None, *, prune: bool) -> set[str]:
    """Return the keys that the part will have."""
    stored = {document[part.key] for document in part.stored()}
    if wanted is None:
        return stored
    return {*wanted, *(stored & part.lasting if prune else stored)}


def _written(part: Part, wanted: Mapping[str, Document], there: Mapping[str, set[str]]) -> Iterator[Change]:
    stored = {document[part.key]: document for document in part.stored()}
    for key in part.in_order(wanted):
        document = wanted[key]
        if key not in stored:
            yield Change(part.name, key, "create", document, part.unknown_names(document, there))
            continue
        values = {name: value for name, value in document.items() if not _same(value, stored[key][name])}
        if values:
            yield _changed(part, key, values, there)


def _changed(part: Part, key: str, values: Document, there: Mapping[str, set[str]]) -> Change:
    unknown = part.unknown_names(values, there)
    if unknown:
        return Change(part.name, key, "change", values, unknown)
    return Change(part.name, key, "change", values, part.obstacle_to_change(key, values), yields=True)


def _deleted(part: Part, wanted: Mapping[str, Document]) -> Iterator[Change]:
    # What refers to another goes before it, as it comes after it.
    keys = part.in_order({document[part.key]: document for document in part.stored()})
    for key in reversed(keys):
        if key not in wanted and key not in part.lasting:
            yield Change(part.name, key, "delete", obstacle=part.obstacle_to_deletion(key))


def _same(one: Any, other: Any) -> bool:
    """Return whether both are the same JSON: for Python `1 == True`, for JSON it is not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _do(change: Change, actor: Caller, *, force: bool) -> None:
    part = PARTS[change.part]
    if change.verb == "create":
        part.create(actor, change.values)
    elif change.verb == "change":
        part.change(actor, change.key, change.values, force=force)
    else:
        part.delete(actor, change.key)
