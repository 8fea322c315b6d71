"""Who is sent what next: each endpoint is a lane of its own, of bounded width.

A lane takes `LANE_WIDTH` deliveries at a time, one that has not proved itself (new, or failing) a single one; and
all lanes of the second sort together never take more than their share, so that whatever hangs, the healthy
find a free place.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from core.models import OutboxRow
from core.queue import enqueue
from notifications.models.webhooks import (
    FAILED,
    INTERRUPTED,
    SENDING,
    WebhookAttempt,
    WebhookDelivery,
)

_TASK: Final = "notifications.tasks.send_webhooks"
LANE_WIDTH: Final = 4
NOTE_SECONDS: Final = 5

# Which lanes have something due, some of each sort at random: whoever comes first shall not always be the same.
_LANES: Final = """
WITH due AS (
    SELECT id, failures = 0 AND last_success_at IS NOT NULL AS is_proven FROM webhook_endpoints e
    WHERE is_active AND (paused_until IS NULL OR paused_until <= clock_timestamp())
      AND EXISTS (SELECT FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state IN ('queued', 'sending')
                  AND d.next_attempt_at <= clock_timestamp())
), drawn AS (
    SELECT id, is_proven, row_number() OVER (PARTITION BY is_proven ORDER BY random()) AS place FROM due
)
SELECT e.id, drawn.is_proven FROM webhook_endpoints e JOIN drawn USING (id)
WHERE drawn.place <= CASE WHEN drawn.is_proven THEN %(proven)s ELSE %(unproven)s END
ORDER BY e.id FOR NO KEY UPDATE OF e
"""
# A statement of its own: only now, with the lanes locked, nobody else adds to what is under way.
_DUE: Final = """
SELECT due.id FROM unnest(%(lanes)s::uuid[], %(widths)s::int[]) AS lane (id, width)
CROSS JOIN LATERAL (
    SELECT d.id FROM webhook_deliveries d
    WHERE d.endpoint_id = lane.id AND d.state IN ('queued', 'sending') AND d.next_attempt_at <= clock_timestamp()
    ORDER BY d.next_attempt_at
    LIMIT greatest(0, lane.width - (
        SELECT count(*) FROM webhook_deliveries b
        WHERE b.endpoint_id = lane.id AND b.state = 'sending' AND b.next_attempt_at > clock_timestamp()))
) due
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker may send once, until its lease ends."""

    delivery: WebhookDelivery
    is_proven: bool


@transaction.atomic
def claim(*, proven: int, unproven: int) -> list[Claimed]:
    """Take up to so many deliveries of lanes of either sort; none is taken by two workers."""
    lanes = _lanes(proven, unproven)
    if not lanes:
        return []
    widths = [_width(is_proven, proven, lanes) for is_proven in lanes.values()]
    ids = [row[0] for row in _rows(_DUE, lanes=list(lanes), widths=widths)]
    due = list(WebhookDelivery.objects.select_for_update(of=("self",)).filter(id__in=ids).select_related("endpoint"))
    _close_interrupted([delivery for delivery in due if delivery.state == SENDING])
    left = [delivery for delivery in due if delivery.attempts_left > 0]
    _give_up([delivery for delivery in due if delivery.attempts_left == 0])
    _take(left)
    return [Claimed(delivery, lanes[delivery.endpoint_id]) for delivery in left]


@transaction.atomic
def watch_claims() -> None:
    """Promise a look at the moment when the oldest claim ends, unless one is promised: its worker may be killed."""
    sending = WebhookDelivery.objects.filter(state=SENDING, next_attempt_at__gt=timezone.now())
    oldest = sending.order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()
    if oldest is None:
        return
    soon_after = (oldest, oldest + timedelta(seconds=NOTE_SECONDS))
    if not OutboxRow.objects.filter(task=_TASK, due_at__range=soon_after, dispatched_at=None).exists():
        promise_at(oldest)


def promise_at(moment: datetime) -> None:
    """Promise a look at what is due then: a little later, for the outbox counts from the start of the transaction."""
    wait = moment - timezone.now() + timedelta(milliseconds=250)
    enqueue("notifications.tasks.send_webhooks", delay=wait)


def _lanes(proven: int, unproven: int) -> dict[UUID, bool]:
    return dict(_rows(_LANES, proven=proven, unproven=unproven))


def _width(is_proven: bool, free: int, lanes: dict[UUID, bool]) -> int:
    if not is_proven:
        return 1
    share = free // max(1, sum(lanes.values()))
    return max(1, min(LANE_WIDTH, share))


def _take(deliveries: list[WebhookDelivery]) -> None:
    # The send's wall clock, and time to note its answer.
    until = timezone.now() + timedelta(seconds=settings.WEBHOOK_TIMEOUT_SECONDS + NOTE_SECONDS)
    WebhookDelivery.objects.filter(id__in=[one.id for one in deliveries]).update(
        state=SENDING,
        attempt_count=F("attempt_count") + 1,
        attempts_left=F("attempts_left") - 1,
        next_attempt_at=until,
    )
    for delivery in deliveries:
        delivery.state = SENDING
        delivery.attempt_count += 1
        delivery.attempts_left -= 1
        delivery.next_attempt_at = until


def _close_interrupted(deliveries: list[WebhookDelivery]) -> None:
    """Write down the tries whose worker died, or was cut off, before it could note the answer."""
    lost = "the worker stopped before it could note the answer"
    WebhookAttempt.objects.bulk_create(
        [
            WebhookAttempt(delivery=one, number=one.attempt_count, outcome=INTERRUPTED, answer=lost)
            for one in deliveries
        ],
        ignore_conflicts=True,
    )


def _give_up(deliveries: list[WebhookDelivery]) -> None:
    ids = [one.id for one in deliveries]
    WebhookDelivery.objects.filter(id__in=ids).update(state=FAILED, next_attempt_at=None)


def _rows(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
