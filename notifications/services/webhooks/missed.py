"""Sending an endpoint what happened while it was switched off, or before there was one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from core.errors import Conflict
from core.events import publish
from core.live.readers import readable
from core.models import Event, EventQuerySet
from core.permissions import Caller
from core.queue import enqueue
from notifications.models.webhooks import NEVER_SENT, WebhookDelivery, WebhookEndpoint
from notifications.services.webhooks.events import callers_of, payload

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Missed:
    """What an endpoint asks for, and was never sent, of the events from a time on."""

    endpoint_id: UUID
    since: datetime
    until: datetime | None = None

    def count(self) -> int:
        """Return how many events its owner may read would be sent at this moment."""
        endpoint = WebhookEndpoint.objects.get(pk=self.endpoint_id)
        caller = callers_of([endpoint.owner_id]).get(endpoint.owner_id)
        if caller is None:
            return 0
        return sum(
            len(readable(caller, self._events(endpoint, after, last))) for after, last in self._stretches(endpoint)
        )

    def send(self, *, actor: Caller) -> Iterator[int]:
        """Write the deliveries in batches of their own transactions; yield the size of each.

        Raises `Conflict` where the endpoint is switched off.
        """
        endpoint = WebhookEndpoint.objects.get(pk=self.endpoint_id)
        for after, last in self._stretches(endpoint):
            yield self._send_stretch(actor, after, last)

    @transaction.atomic
    def _send_stretch(self, actor: Caller, after: int, last: int) -> int:
        # The lock lets two who send the same at once find each other's rows.
        endpoint = WebhookEndpoint.objects.select_for_update().get(pk=self.endpoint_id)
        if not endpoint.is_active:
            raise Conflict("This webhook is switched off.")
        caller = callers_of([endpoint.owner_id]).get(endpoint.owner_id)
        events = [] if caller is None else readable(caller, self._events(endpoint, after, last))
        if caller is None or not events:
            return 0
        WebhookDelivery.objects.bulk_create(
            (
                WebhookDelivery(
                    endpoint=endpoint, event_id=event.id, event_type=event.type, body=payload(event, caller)
                )
                for event in events
            ),
            ignore_conflicts=True,
        )
        facts = {"deliveries": len(events), "missed": True}
        publish("webhook.redelivered", subject=endpoint, actor=actor, data=facts, audience=[endpoint.owner_id])
        enqueue("notifications.tasks.send_webhooks")
        return len(events)

    def _stretches(self, endpoint: WebhookEndpoint) -> Iterator[tuple[int, int]]:
        """Yield the bounds, by `seq`, of batches of what there is now; what happens from now on is sent by itself."""
        numbers = list(self._missed(endpoint).order_by("seq").values_list("seq", flat=True))
        ends = [numbers[0] - 1, *numbers[BATCH - 1 : -1 : BATCH], numbers[-1]] if numbers else []
        yield from pairwise(ends)

    def _events(self, endpoint: WebhookEndpoint, after: int, last: int) -> list[Event]:
        return list(self._missed(endpoint).filter(seq__gt=after, seq__lte=last).order_by("seq"))

    def _missed(self, endpoint: WebhookEndpoint) -> EventQuerySet:
        sent = WebhookDelivery.objects.filter(endpoint=endpoint, event_id=OuterRef("id"))
        events: EventQuerySet = Event.objects.filter(occurred_at__gte=self.since).of_type(*endpoint.events)
        if self.until is not None:
            events = events.filter(occurred_at__lt=self.until)
        return events.exclude(type__startswith=NEVER_SENT).exclude(Exists(sent))
