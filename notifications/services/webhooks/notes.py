"""What became of a try: the answer written down, the next try promised, or the delivery given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from core.events import publish
from core.http_client import Response, retry_after_of
from core.permissions import SYSTEM
from notifications.models.webhooks import (
    ANSWERED,
    ATTEMPTS_IN_A_ROUND,
    DELIVERED,
    FAILED,
    QUEUED,
    REFUSED,
    RETRY_SECONDS,
    SENDING,
    SUPPRESSED,
    UNREACHABLE,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from notifications.services.notifying import News, notify
from notifications.services.webhooks.claims import promise_at
from notifications.services.webhooks.endpoints import disable, without_secrets

FAILING_AT_MOST: Final = timedelta(days=5)
LONGEST_WAIT: Final = timedelta(seconds=RETRY_SECONDS[-1])
PAUSE: Final = timedelta(seconds=30)
_GONE: Final = 410

_random: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try went; one that `is_postponed` was none, because the circuit was open."""

    started_at: datetime
    milliseconds: int
    response: Response | None = None
    text: str = ""
    is_postponed: bool = False

    @property
    def status(self) -> int | None:
        return self.response.status if self.response else None

    @property
    def ok(self) -> bool:
        return self.response is not None and self.response.ok

    @property
    def outcome(self) -> str:
        if self.response is None:
            return UNREACHABLE
        return ANSWERED if self.ok else REFUSED


def note(results: Sequence[tuple[WebhookDelivery, Answer]]) -> None:
    """Write down how some tries went."""
    _note_delivered([(delivery, answer) for delivery, answer in results if answer.ok])
    for delivery, answer in results:
        if answer.is_postponed:
            _note_postponed(delivery)
        elif not answer.ok:
            _note_failed(delivery, answer)


def suppress(deliveries: Sequence[WebhookDelivery]) -> None:
    """Drop deliveries whose owner may no longer read them; what they would have said goes too."""
    for delivery in deliveries:
        _held(delivery).update(state=SUPPRESSED, next_attempt_at=None, body="", attempt_count=F("attempt_count") - 1)


@transaction.atomic
def _note_delivered(results: Sequence[tuple[WebhookDelivery, Answer]]) -> None:
    if not results:
        return
    endpoints = sorted({delivery.endpoint_id for delivery, _ in results})
    # Endpoints before deliveries, by key: the order in which everybody locks them.
    locked = WebhookEndpoint.objects.select_for_update(no_key=True).filter(id__in=endpoints).order_by("id")
    there = set(locked.values_list("id", flat=True))
    # What was deleted meanwhile has nothing left to write to.
    results = [(delivery, answer) for delivery, answer in results if delivery.endpoint_id in there]
    WebhookEndpoint.objects.filter(id__in=there).update(
        failures=0, failing_since=None, paused_until=None, last_success_at=Now()
    )
    # Whoever holds them now: the receiver has them.
    WebhookDelivery.objects.filter(id__in=[delivery.id for delivery, _ in results]).update(
        state=DELIVERED, next_attempt_at=None, delivered_at=Now()
    )
    _write_attempts(results)


@transaction.atomic
def _note_failed(delivery: WebhookDelivery, answer: Answer) -> None:
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(id=delivery.endpoint_id).first()
    if endpoint is None:
        return
    is_over = delivery.attempts_left == 0
    next_attempt_at = None if is_over else timezone.now() + _wait_after(delivery, answer)
    _write_attempts([(delivery, answer)], next_attempt_at)
    is_held = _held(delivery).update(state=FAILED if is_over else QUEUED, next_attempt_at=next_attempt_at)
    _note_endpoint(endpoint, answer)
    if is_held and is_over:
        _tell_of_dead_letter(delivery, endpoint, answer)
    elif is_held and next_attempt_at is not None and endpoint.is_active:
        promise_at(next_attempt_at)


def _note_endpoint(endpoint: WebhookEndpoint, answer: Answer) -> None:
    now = timezone.now()
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    endpoint.save(update_fields=["failures", "failing_since"])
    if not endpoint.is_active:
        return
    if answer.status == _GONE:
        disable(endpoint, reason="its receiver says that it is gone for good (410)")
    elif now - endpoint.failing_since > FAILING_AT_MOST:
        disable(endpoint, reason=f"it has failed for {FAILING_AT_MOST.days} days")


@transaction.atomic
def _note_postponed(delivery: WebhookDelivery) -> None:
    """Give the try back, and leave the whole lane alone until the circuit lets one through."""
    until = timezone.now() + PAUSE * _random.uniform(1.0, 1.25)
    WebhookEndpoint.objects.filter(id=delivery.endpoint_id).update(paused_until=until)
    _held(delivery).update(
        state=QUEUED,
        next_attempt_at=until,
        attempt_count=F("attempt_count") - 1,
        attempts_left=F("attempts_left") + 1,
    )
    promise_at(until)


def _tell_of_dead_letter(delivery: WebhookDelivery, endpoint: WebhookEndpoint, answer: Answer) -> None:
    facts = {"event": str(delivery.event_id), "type": delivery.event_type, "status": answer.status}
    publish("webhook.delivery_failed", subject=endpoint, actor=SYSTEM, data=facts, audience=[endpoint.owner_id])
    if endpoint.is_active:
        news = News(
            "webhook.failing",
            {"url": without_secrets(endpoint.url), "event": delivery.event_type},
            subject=("webhook", str(endpoint.pk)),
            # One mail a day says it, however many deliveries fail.
            dedup_key=f"webhook.failing:{endpoint.id}:{timezone.now():%Y-%m-%d}",
        )
        notify(news, to=[endpoint.owner_id])


def _held(delivery: WebhookDelivery) -> QuerySet[WebhookDelivery]:
    """Return the row as long as it is in the claim that `delivery` was taken under."""
    return WebhookDelivery.objects.filter(id=delivery.id, state=SENDING, attempt_count=delivery.attempt_count)


def _write_attempts(results: Sequence[tuple[WebhookDelivery, Answer]], next_attempt_at: datetime | None = None) -> None:
    WebhookAttempt.objects.bulk_create(
        [
            WebhookAttempt(
                delivery=delivery,
                number=delivery.attempt_count,
                started_at=answer.started_at,
                milliseconds=answer.milliseconds,
                outcome=answer.outcome,
                status=answer.status,
                answer=answer.text,
                next_attempt_at=next_attempt_at,
            )
            for delivery, answer in results
        ],
        ignore_conflicts=True,
    )


def _wait_after(delivery: WebhookDelivery, answer: Answer) -> timedelta:
    """Return the wait before the next try: the schedule's, with jitter; longer where the receiver asks for it."""
    failed = ATTEMPTS_IN_A_ROUND - delivery.attempts_left
    planned = RETRY_SECONDS[min(failed, len(RETRY_SECONDS)) - 1] * _random.uniform(0.8, 1.2)
    asked = retry_after_of(answer.response) if answer.response else None
    return max(timedelta(seconds=planned), min(timedelta(seconds=asked or 0), LONGEST_WAIT))
