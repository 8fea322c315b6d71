"""What the events of resources show of `data`: nothing that the reader may not read there, and no ciphertext."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from core.models import Event
from core.permissions import Caller
from resources.access import Asker
from resources.keywords.field_rules import hidden_paths
from resources.models import Resource, ResourceType
from resources.schemas import compiled
from resources.schemas.keywords import Keywords, Path

_DATA: Final = "data"
_SIDES: Final = ("before", "after")


def shown_payloads(caller: Caller, events: Sequence[Event]) -> dict[UUID, dict[str, Any]]:
    """Return the payload of each event of a resource as the caller may see it, in two queries for any number."""
    rows = Resource.all_objects.filter(id__in={event.subject_id for event in events})
    held = {
        str(row_id): (key, owner == caller.id) for row_id, key, owner in rows.values_list("id", "type_id", "owner_id")
    }
    known = {event.id: held.get(event.subject_id) or _destroyed(event, caller) for event in events}
    keywords = _keywords_of({key for key, _ in known.values()})
    return {event.id: without(event.payload, _hidden(caller, keywords, *known[event.id])) for event in events}


def without(payload: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """Return a payload without these paths of `data`, whether a side names them by dots or holds them in objects."""
    shown = dict(payload)
    for side in _SIDES:
        if isinstance(shown.get(side), Mapping):
            shown[side] = _side_without(shown[side], [(_DATA, *path) for path in paths])
    return shown


def _side_without(side: Mapping[str, Any], paths: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    # By the written path: the name of a property may have a dot in it.
    gone = tuple(".".join(path) for path in paths)
    below = tuple(f"{path}." for path in gone)
    return {
        name: _value_without(value, [rest for path in paths if (rest := _rest(path, name))])
        for name, value in side.items()
        if name not in gone and not name.startswith(below)
    }


def _rest(path: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return what of the path is left below `name`; nothing where it does not lead there."""
    return next((path[length:] for length in range(1, len(path)) if ".".join(path[:length]) == name), ())


def _value_without(value: Any, paths: Sequence[tuple[str, ...]]) -> Any:
    if not paths or not isinstance(value, Mapping):
        return value
    gone = {path[0] for path in paths if len(path) == 1}
    return {
        name: _value_without(item, [path[1:] for path in paths if len(path) > 1 and path[0] == name])
        for name, item in value.items()
        if name not in gone
    }


def _hidden(caller: Caller, keywords: Mapping[str, Keywords], key: str, owns: bool) -> list[Path]:
    if key not in keywords:
        return []
    return [*keywords[key].encrypted, *hidden_paths(Asker.of(caller), keywords[key], owns=owns)]


def _destroyed(event: Event, caller: Caller) -> tuple[str, bool]:
    """Return the type of a resource that is gone, and whether it was the caller's, as its last event tells it."""
    before = event.payload.get("before") or {}
    return str(before.get("type", "")), caller.id is not None and before.get("owner") == str(caller.id)


def _keywords_of(keys: set[str]) -> dict[str, Keywords]:
    rows = ResourceType.objects.filter(key__in=keys).values_list("key", "id", "schema_version")
    return {key: compiled(type_id, number).keywords for key, type_id, number in rows}
