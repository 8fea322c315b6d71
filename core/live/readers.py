"""Who may read which events: each app says it for its own in `<app>/live.py`.

Events of a family that names no scope are not for personal access tokens, like operations that declare none.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

from core.models import Event
from core.permissions import ADMIN, Caller

AUDIT: Final = "read:audit"

Reader = Callable[[Caller, Sequence[Event]], Iterable[UUID]]

_READERS: Final[list[tuple[str, str, Reader]]] = []


def reader(family: str, *, scope: str = "") -> Callable[[Reader], Reader]:
    """Register who may read a family of events (`resource` is all of `resource.*`).

    The function gets events of that family and returns the ids of those that the caller may read now; a personal
    access token also needs `scope`.
    """

    def register(function: Reader) -> Reader:
        _READERS.append((f"{family}.", scope, function))
        return function

    return register


def readable(caller: Caller, events: Sequence[Event]) -> list[Event]:
    """Return those of `events` that `caller` may read now; a family that nobody speaks for is for auditors alone."""
    if caller.holds(AUDIT):
        return list(events)
    allowed: set[UUID] = set()
    for family, scope, function in _READERS:
        if caller.token_id is not None and not caller.covers(scope):
            continue
        theirs = [event for event in events if event.type.startswith(family)]
        if theirs:
            allowed.update(function(caller, theirs))
    return [event for event in events if event.id in allowed]


def may_know(event: Event, name: str, caller: Caller) -> bool:
    """Return whether `caller` may know that the field changed.

    An event whose payload has `readers` says for some fields, and what lies below them, which roles and whose ids may.
    """
    if caller.holds(ADMIN):
        return True
    known = {caller.role, str(caller.id)}
    readers = event.payload.get("readers") or {}
    return all(known & set(may) for field, may in readers.items() if name == field or name.startswith(f"{field}."))
