"""Sending again what was sent or given up, sending a test, forgetting what is old."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from core.errors import Conflict, NotFound
from core.events import publish
from core.permissions import Caller
from core.queue import enqueue
from notifications.models.webhooks import (
    ATTEMPTS_IN_A_ROUND,
    OPEN_DELIVERY_STATES,
    QUEUED,
    SUPPRESSED,
    WebhookDelivery,
    WebhookEndpoint,
)
from notifications.services.webhooks.events import TEST_TYPE, test_body, write_deliveries

BATCH: Final = 1000
_STATES: Final = "SELECT state, count(*) FROM webhook_deliveries WHERE state IN ('queued', 'sending') GROUP BY state"


@transaction.atomic
def redeliver(*, actor: Caller, endpoint_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    """Send a delivery of one of the actor's endpoints again, under the same id.

    Raises `NotFound`, and `Conflict` for one that is still being tried or may not be read any more.
    """
    deliveries = WebhookDelivery.objects.select_for_update(of=("self",)).select_related("endpoint")
    own = deliveries.filter(pk=delivery_id, endpoint_id=endpoint_id, endpoint__owner_id=actor.own_id).first()
    if own is None:
        raise NotFound
    if own.state in OPEN_DELIVERY_STATES:
        raise Conflict("This delivery is being tried already.")
    if own.state == SUPPRESSED:
        raise Conflict("You may no longer read what this delivery was about.")
    if not own.endpoint.is_active:
        raise Conflict("This webhook is switched off.")
    _queue_again(WebhookDelivery.objects.filter(pk=own.pk))
    _publish(own.endpoint, actor, 1)
    own.refresh_from_db()
    return own


def redeliver_many(*, actor: Caller, deliveries: QuerySet[WebhookDelivery]) -> int:
    """Send again those of `deliveries` that are done with, at endpoints that are on, for staff; return how many."""
    ready = redeliverable(deliveries)
    count = 0
    last: UUID | None = None
    while ids := list(
        (ready.filter(pk__gt=last) if last else ready).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        last = ids[-1]
        count += _redeliver_batch(actor, ids)
    return count


def redeliverable(deliveries: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
    """Return those that may be sent again."""
    return deliveries.filter(endpoint__is_active=True).exclude(state__in=(*OPEN_DELIVERY_STATES, SUPPRESSED))


@transaction.atomic
def send_test(*, actor: Caller, endpoint_id: UUID) -> WebhookDelivery:
    """Send an event that says that it is a test to one of the actor's endpoints; raises `NotFound` or `Conflict`."""
    endpoint = WebhookEndpoint.objects.filter(owner_id=actor.own_id, pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    if not endpoint.is_active:
        raise Conflict("This webhook is switched off.")
    event_id, body = test_body(endpoint)
    if not write_deliveries({endpoint: body}, event_id=event_id, type_=TEST_TYPE):
        raise NotFound
    publish("webhook.tested", subject=endpoint, actor=actor, data={}, audience=[endpoint.owner_id])
    return WebhookDelivery.objects.get(endpoint=endpoint, event_id=event_id)


def purge_deliveries() -> int:
    """Delete what was done with `WEBHOOK_RETENTION_DAYS` ago, with its attempts; return how many deliveries."""
    removed = 0
    old = WebhookDelivery.objects.past_their_time()
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            WebhookDelivery.objects.filter(pk__in=ids).delete()
        removed += len(ids)
    return removed


def _redeliver_batch(actor: Caller, ids: Iterable[UUID]) -> int:
    with transaction.atomic():
        locked = WebhookDelivery.objects.select_for_update(of=("self",)).filter(pk__in=ids).select_related("endpoint")
        found = [one for one in locked if one.state not in (*OPEN_DELIVERY_STATES, SUPPRESSED)]
        _queue_again(WebhookDelivery.objects.filter(pk__in=[one.pk for one in found]))
        for endpoint in {one.endpoint_id: one.endpoint for one in found}.values():
            _publish(endpoint, actor, sum(one.endpoint_id == endpoint.pk for one in found))
        return len(found)


def _queue_again(deliveries: QuerySet[WebhookDelivery]) -> None:
    deliveries.update(state=QUEUED, attempts_left=ATTEMPTS_IN_A_ROUND, next_attempt_at=Now(), delivered_at=None)
    enqueue("notifications.tasks.send_webhooks")


def _publish(endpoint: WebhookEndpoint, actor: Caller, count: int) -> None:
    audience = [endpoint.owner_id]
    publish("webhook.redelivered", subject=endpoint, actor=actor, data={"deliveries": count}, audience=audience)
