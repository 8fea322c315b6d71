"""What the event log says a resource is, beside what the table says."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from core.models import Event
from resources.changes import difference
from resources.keywords.sealing import opened
from resources.models import Resource, ResourceHistory, ResourceQuerySet
from resources.services.writing import state_of

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Comparison:
    """A resource, how many writes the log has of how many, and the paths at which it says otherwise than the table."""

    resource_id: UUID
    writes: int
    known: int
    paths: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Return whether the log has every write; months of it are dropped when their time is over."""
        return self.known == self.writes


def compare_with_log(resources: ResourceQuerySet) -> Iterator[Comparison]:
    """Rebuild each resource from the events of its writes, and yield how that compares with its row."""
    last = UUID(int=0)
    while batch := list(resources.filter(id__gt=last).order_by("id")[:_BATCH]):
        last = batch[-1].id
        told = _writes_of(batch)
        yield from (_compared(resource, told.get(str(resource.id), [])) for resource in batch)


def rebuilt(payloads: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the state that these writes lead to, in their order."""
    state: dict[str, Any] = {}
    for payload in payloads:
        before, after = payload.get("before", {}), payload.get("after", {})
        for path in before.keys() - after.keys():
            holder, name = _place(state, path)
            holder.pop(name, None)
        for path, value in after.items():
            holder, name = _place(state, path)
            holder[name] = value
    return state


def _compared(resource: Resource, payloads: list[dict[str, Any]]) -> Comparison:
    if len(payloads) != resource.version:
        return Comparison(resource.id, resource.version, len(payloads), ())
    told, true = rebuilt(payloads), state_of(resource)
    for state in (told, true):
        state["data"] = opened(state.get("data") or {}, resource.id)
    gone, come = difference(_flat(told), _flat(true))
    return Comparison(resource.id, resource.version, len(payloads), tuple(sorted({*gone, *come})))


def _writes_of(resources: list[Resource]) -> dict[str, list[dict[str, Any]]]:
    """Return what the events of the resources' writes say, by resource, in their order."""
    ids = [str(resource.id) for resource in resources]
    actions = ResourceHistory.objects.filter(resource__in=resources).values_list("action", flat=True).distinct()
    events = (
        Event.objects.filter(
            subject_type="resource", subject_id__in=ids, type__in=[f"resource.{action}" for action in actions]
        )
        .order_by("subject_id", "seq")
        .values_list("subject_id", "payload")
    )
    return {key: [payload for _, payload in found] for key, found in groupby(events, key=lambda row: row[0])}


def _place(state: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """Return where the path leads: the object, and the name in it.

    A name may hold dots itself: what leads through no object that is there is one, since an object that is new is told
    of whole. Where both `a` and `a.b` are names of one object, the log does not say which is meant; it is the latter.
    """
    if path not in state:
        for name, below in state.items():
            if isinstance(below, dict) and path.startswith(f"{name}."):
                return _place(below, path.removeprefix(f"{name}."))
    return state, path


def _flat(state: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values by dotted path: a name with a dot in it and a path look the same in the log."""
    found: dict[str, Any] = {}
    for name, value in state.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
