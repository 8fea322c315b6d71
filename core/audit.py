"""The event log as auditors and its own people read it: newest first, and without what the reader may not see.

An app whose events carry more than every auditor may read registers what it takes out, in its `live.py`:

    @shows("resource")
    def without_hidden_fields(caller: Caller, events: Sequence[Event]) -> Mapping[UUID, dict[str, Any]]:
        return {event.id: … for event in events}
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from core.logging import redact
from core.models import Event
from core.permissions import Caller

Payload = dict[str, Any]
Shower = Callable[[Caller, Sequence[Event]], Mapping[UUID, Payload]]

_SHOWERS: Final[dict[str, Shower]] = {}


def shows(family: str) -> Callable[[Shower], Shower]:
    """Register who says what a caller is shown of the payloads of a family of events (`resource` is `resource.*`)."""

    def register(function: Shower) -> Shower:
        if family in _SHOWERS:
            raise ValueError(f"Somebody shows the events of {family} already.")
        _SHOWERS[family] = function
        return function

    return register


def shown_payloads(caller: Caller, events: Sequence[Event]) -> dict[UUID, Payload]:
    """Return what the caller is shown of each event's payload; what looks like a secret is never in it."""
    payloads: dict[UUID, Payload] = {event.id: event.payload for event in events}
    for family, show in _SHOWERS.items():
        theirs = [event for event in events if event.type.startswith(f"{family}.")]
        if theirs:
            payloads.update(show(caller, theirs))
    return {event_id: redact(payload) for event_id, payload in payloads.items()}


def changed_fields(event: Event) -> list[str]:
    """Return the names of what an event changed, without the values."""
    after = event.payload.get("after")
    return sorted(after) if isinstance(after, Mapping) else []
