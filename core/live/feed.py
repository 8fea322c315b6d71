"""The event log, read from a position on."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

import orjson
from django.db import connection

from core.audit import shown_payloads
from core.live.readers import AUDIT, may_know, readable
from core.models import Event
from core.permissions import Caller
from core.times import rfc3339

BATCH: Final = 200
REACH: Final = timedelta(hours=24)
"""How far back a position leads; who was away for longer reads the resources themselves again."""

# Rows in the order in which their transactions settle: none can appear any more before the last one returned.
_AFTER: Final = """
SELECT events.*, xid::text AS transaction FROM events
WHERE (xid, seq) > (%s::xid8, %s) AND xid < pg_snapshot_xmin(pg_current_snapshot())
  AND occurred_at > now() - %s
ORDER BY xid, seq LIMIT %s
"""
_POSITION: Final = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: everything up to it has been read."""

    transaction: int
    seq: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the position that `str()` spelled, or None."""
        match = _POSITION.fullmatch(text)
        return cls(int(match[1]), int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.transaction}-{self.seq}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some events that a caller may read, where the log has been read to, and whether there is more at once."""

    events: list[Event]
    position: Position
    has_more: bool


def now() -> Position:
    """Return the position after everything that is settled."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        return Position(int(cursor.fetchone()[0]), 0)


def read_after(position: Position, caller: Caller) -> Batch:
    """Return the next events after `position` that `caller` may read at this moment."""
    found = list(Event.objects.raw(_AFTER, [str(position.transaction), position.seq, REACH, BATCH]))
    if found:
        position = position_of(found[-1])
    return Batch(readable(caller, found), position, has_more=len(found) == BATCH)


def position_of(event: Event) -> Position:
    """Return the place in the log of an event of a `Batch`."""
    return Position(int(event.transaction), event.seq)  # type: ignore[attr-defined]  # the raw query adds it


def describe(event: Event, caller: Caller) -> bytes:
    """Return the event as JSON: what happened to what, and which fields changed; the values only for auditors."""
    told = {
        "id": str(event.id),
        "type": event.type,
        "subject": {"type": event.subject_type, "id": event.subject_id},
        "actor": str(event.actor) if event.actor else None,
        "changed": sorted(name for name in event.payload.get("after") or () if may_know(event, name, caller)),
        "occurred_at": rfc3339(event.occurred_at),
    }
    if caller.holds(AUDIT):
        told["data"] = shown_payloads(caller, [event])[event.id]
    return orjson.dumps(told)
