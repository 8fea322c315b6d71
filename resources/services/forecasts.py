"""How many records a change of a type would refuse, asked by reading alone: nothing is written or locked for it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from resources.keywords.sealing import opened
from resources.models import Resource, ResourceType
from resources.schemas import Keywords
from resources.services.keyword_changes import chunks
from resources.services.misfits import misfits, refusal_by
from resources.services.side_rows import targets, unique_values

_Taken = set[tuple[str, bytes]]


def count_refused(key: str, changes: Mapping[str, Any]) -> int:
    """Return how many live records of the type the changed schema or workflow would refuse, however long it takes.

    Those that it does not accept, those whose unique value an older one has, and those that refer to nothing.
    """
    if not changes.keys() & {"schema", "workflow"}:
        return 0
    refused = set(misfits(key, refusal_by(changes)))
    kind = ResourceType.objects.filter(key=key).first()
    if kind is not None and "schema" in changes:
        refused |= _out_of_line(key, Keywords.of(kind.schema), Keywords.of(changes["schema"]))
    return len(refused)


def _out_of_line(key: str, old: Keywords, new: Keywords) -> set[UUID]:
    """Return the records that could not have the rows that new keywords ask for, as `backfill` would find them."""
    asked = Keywords(
        unique=tuple(path for path in new.unique if path not in old.unique),
        references=tuple(one for one in new.references if one not in old.references),
    )
    if not asked.unique and not asked.references:
        return set()
    refused: set[UUID] = set()
    taken: _Taken = set()
    for chunk in chunks(Resource.objects.filter(type__key=key).values_list("id", "data")):
        rows = [(row_id, opened(data, row_id)) for row_id, data in chunk]
        refused |= _late(rows, asked, taken) | _astray(rows, asked)
    return refused


def _late(rows: list[tuple[UUID, dict[str, Any]]], asked: Keywords, taken: _Taken) -> set[UUID]:
    """Return whose value an older one has; what the others have is taken from now on."""
    late = set()
    for row_id, data in rows:
        values = unique_values(data, asked)
        if values & taken:
            late.add(row_id)
        taken |= values
    return late


def _astray(rows: list[tuple[UUID, dict[str, Any]]], asked: Keywords) -> set[UUID]:
    """Return which of them refer to what is not there, or of another type."""
    wanted = [
        (row_id, one.type, target) for row_id, data in rows for one in asked.references for target in targets(data, one)
    ]
    if not wanted:
        return set()
    there = Resource.objects.filter(id__in={target for *_, target in wanted}).order_by()
    kinds = dict(there.values_list("id", "type__key"))
    return {row_id for row_id, type_key, target in wanted if kinds.get(target) != type_key}
