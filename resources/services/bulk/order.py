"""Which steps are done together: those of one kind, as long as none overtakes a step that could tell the difference.

Two steps change places only where neither can see what the other does: they are about different resources, at most one
of them gives or takes values that are one's alone, and neither refers to what the other takes away or brings back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import connection

from resources.models import ITEM, ResourceType
from resources.schemas import Keywords, compiled
from resources.schemas.keywords import Path, Reference
from resources.services.bulk.steps import Step
from resources.services.side_rows import targets

HEAVIEST: Final = 8 * 2**20
"""How many bytes of data the steps of one batch may be about: all of it is held at once."""

_MOVING: Final = frozenset({"delete", "restore"})

# A record that others refer to, or that went to the bin with others, does not move alone.
_FACTS: Final = """
SELECT id, type, external_id IS NOT NULL,
       CASE WHEN pg_column_size(data) > 1000 THEN octet_length(data::text) ELSE pg_column_size(data) END,
       EXISTS (SELECT FROM resource_references WHERE target_id = resources.id)
       OR EXISTS (SELECT FROM resources AS other
                  WHERE other.delete_op = resources.delete_op AND other.deleted_at IS NOT NULL
                        AND other.id <> resources.id)
FROM resources WHERE id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class _Facts:
    type_key: str
    has_external_id: bool
    weight: int
    has_company: bool


@dataclass(slots=True)
class _Reach:
    """What a step, or a batch of them, touches."""

    ids: set[UUID] = field(default_factory=set)
    named: set[UUID] = field(default_factory=set)
    names_all: bool = False
    is_exclusive: bool = False
    """Whether it gives or takes values that are one's alone."""
    moves: bool = False
    is_apart: bool = False
    """Whether nothing may pass it, in either direction."""
    weight: int = 0

    def bars(self, other: "_Reach") -> bool:
        """Return whether the two have to stay in their order."""
        return bool(
            self.is_apart
            or other.is_apart
            or self.ids & other.ids
            or (self.is_exclusive and other.is_exclusive)
            or (self.moves and (other.names_all or self.ids & other.named))
            or (other.moves and (self.names_all or other.ids & self.named))
        )

    def admits(self, other: "_Reach") -> bool:
        """Return whether one batch may have both, in their order."""
        alone = self.is_apart or other.is_apart or self.ids & other.ids
        return not alone and self.weight + other.weight <= HEAVIEST

    def add(self, other: "_Reach") -> None:
        self.ids |= other.ids
        self.named |= other.named
        self.names_all |= other.names_all
        self.is_exclusive |= other.is_exclusive
        self.moves |= other.moves
        self.is_apart |= other.is_apart
        self.weight += other.weight


@dataclass(slots=True)
class Batch:
    """Steps of one kind, by their places, in their order."""

    op: str
    steps: dict[int, Step] = field(default_factory=dict)
    _reach: _Reach = field(default_factory=_Reach)

    def _add(self, place: int, step: Step, reach: _Reach) -> None:
        self.steps[place] = step
        self._reach.add(reach)


def in_batches(steps: Mapping[int, Step]) -> list[Batch]:
    """Return the steps in batches that, one after the other, do what the steps one after the other do."""
    reaches = _Reaches.of(list(steps.values()))
    batches: list[Batch] = []
    for place, step in steps.items():
        reach = reaches.of_step(step)
        batch = _home(batches, step.op, reach)
        if batch is None:
            batch = Batch(step.op)
            batches.append(batch)
        batch._add(place, step, reach)
    return batches


@dataclass(frozen=True, slots=True)
class Touched:
    """The resources that steps name, in their ids and in their data; and those that move with others."""

    ids: set[UUID]
    named: set[UUID]
    in_company: set[UUID]


def touched_by(steps: Sequence[Step]) -> Touched:
    """Return what the steps name, whether or not it is there."""
    reaches = _Reaches.of(steps)
    reached = [(step, reaches.of_step(step)) for step in steps]
    return Touched(
        {step.id for step in steps if step.id is not None},
        {target for _, reach in reached for target in reach.named},
        {step.id for step, reach in reached if reach.is_apart and step.id is not None},
    )


def _home(batches: Sequence[Batch], op: str, reach: _Reach) -> Batch | None:
    """Return the last batch of this kind that the step may join without passing one that bars it."""
    for batch in reversed(batches):
        if batch.op == op and batch._reach.admits(reach):
            return batch
        if batch._reach.bars(reach):
            return None
    return None


@dataclass(frozen=True, slots=True)
class _Reaches:
    facts: Mapping[UUID, _Facts]
    keywords: Mapping[str, Keywords]

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "_Reaches":
        facts = _facts({step.id for step in steps if step.id is not None})
        made = {step.values.get("type", ITEM) for step in steps if step.op == "create"}
        return cls(facts, _keywords({*made, *(one.type_key for one in facts.values())}))

    def of_step(self, step: Step) -> _Reach:
        known = None if step.id is None else self.facts.get(step.id)
        type_key = known.type_key if known else step.values.get("type", ITEM)
        keywords = self.keywords.get(type_key) or Keywords()
        given = step.values.get("data")
        moves = step.op in _MOVING
        named = {target for one in keywords.references for target in _named(given, one)}
        return _Reach(
            ids=set() if step.id is None else {step.id},
            named=named,
            names_all=step.op == "restore" and bool(keywords.references),
            is_exclusive=_is_exclusive(step, given, known, keywords),
            moves=moves,
            is_apart=moves and known is not None and known.has_company,
            weight=known.weight if known else 0,
        )


def _is_exclusive(step: Step, given: Any, known: _Facts | None, keywords: Keywords) -> bool:
    if step.op in _MOVING:
        return bool(keywords.unique) or (known is not None and known.has_external_id)
    return "external_id" in step.values or any(_touches(given, path) for path in keywords.unique)


def _touches(given: Any, path: Path) -> bool:
    """Return whether what is given of `data` says something of the path."""
    for name in path:
        if not isinstance(given, dict):
            return given is not None
        if name not in given:
            return False
        given = given[name]
    return True


def _named(given: Any, reference: Reference) -> Iterator[UUID]:
    if isinstance(given, dict):
        yield from targets(given, reference)


def _facts(ids: set[UUID]) -> dict[UUID, _Facts]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [list(ids)])
        return {row[0]: _Facts(*row[1:]) for row in cursor.fetchall()}


def _keywords(type_keys: set[str]) -> dict[str, Keywords]:
    rows = ResourceType.objects.filter(key__in=type_keys).values_list("key", "id", "schema_version")
    return {key: compiled(type_id, number).keywords for key, type_id, number in rows}
