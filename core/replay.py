"""Feeds a subscriber again: with what it missed, or with everything from any time on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from core.events import SUBSCRIBERS
from core.models import Event, EventDelivery, EventQuerySet
from core.queue import enqueue_many

BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Replay:
    """Which events go to which subscriber again; `missed_only` leaves out what it has handled."""

    subscriber: str
    since: datetime
    until: datetime | None = None
    types: tuple[str, ...] = ()
    missed_only: bool = False

    def events(self) -> EventQuerySet:
        """Return the events to replay; LookupError for an unknown subscriber."""
        if self.subscriber not in SUBSCRIBERS:
            raise LookupError(
                f"There is no subscriber {self.subscriber!r}; there are {', '.join(sorted(SUBSCRIBERS))}."
            )
        types = self.types or SUBSCRIBERS[self.subscriber].types
        rows = Event.objects.filter(occurred_at__gte=self.since).of_type(*types)
        if self.until:
            rows = rows.filter(occurred_at__lt=self.until)
        if self.missed_only:
            handled = EventDelivery.objects.filter(event_id=OuterRef("id"), subscriber=self.subscriber)
            rows = rows.exclude(Exists(handled))
        return rows

    def run(self) -> Iterator[int]:
        """Queue the events in batches, each in its own transaction; yield the size of each batch."""
        rows = self.events().order_by("seq")
        last = 0
        while batch := list(rows.filter(seq__gt=last).values_list("seq", "id")[:BATCH]):
            last = batch[-1][0]
            self._queue([event_id for _, event_id in batch])
            yield len(batch)

    @transaction.atomic
    def _queue(self, ids: list[object]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM event_deliveries WHERE subscriber = %s AND event_id = ANY(%s)", [self.subscriber, ids]
            )
        calls = [{"event_id": event_id, "subscriber": self.subscriber} for event_id in ids]
        enqueue_many("core.tasks.handle_event", calls, queue="bulk")
