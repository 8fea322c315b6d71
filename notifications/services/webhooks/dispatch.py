"""Sending: claims a handful, sends side by side, notes each answer; until nothing is due any more.

The threads do nothing but HTTP; the database is spoken to by the thread that runs the task alone. A worker that is
killed leaves its claims to their leases, and whoever claims them next sends the same message under the same id.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from os import getpid
from typing import Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from core.breaker import CircuitOpen, Policy
from core.http_client import RequestFailed, Response, request
from core.live.readers import readable
from core.logging import redact_text
from core.models import Event
from core.queue import enqueue
from core.worker import note_progress
from notifications.models.webhooks import WebhookDelivery
from notifications.services.webhooks.claims import Claimed, claim, watch_claims
from notifications.services.webhooks.endpoints import secrets_of
from notifications.services.webhooks.events import TEST_TYPE, callers_of
from notifications.services.webhooks.notes import Answer, note, suppress
from notifications.services.webhooks.signing import signed_headers

logger = logging.getLogger(__name__)

THREADS: Final = 16
UNPROVEN_THREADS: Final = THREADS // 2
SLICE_SECONDS: Final = 30.0
"""After so long no more is claimed: the queue has other work too."""

PATIENCE_SECONDS: Final = 1.0
BODY_LIMIT: Final = 65_536
_EXCERPT: Final = 1000
CIRCUIT: Final = Policy(failures=5, window=60.0, cooldown=30.0)


@dataclass(frozen=True, slots=True)
class _Letter:
    """All that a thread needs to send."""

    claimed: Claimed
    url: str
    body: bytes
    message_id: str
    secrets: list[str]

    @classmethod
    def of(cls, claimed: Claimed) -> "_Letter":
        delivery = claimed.delivery
        endpoint = delivery.endpoint
        return cls(claimed, endpoint.url, delivery.body.encode(), delivery.webhook_id, secrets_of(endpoint))


_left_behind: Final[dict[Future[Answer], Claimed]] = {}
"""What threads of this process are still waiting for, though no task is."""


def send_due() -> int:
    """Send what is due; return how many deliveries were tried.

    Returns when nothing is due, after half a minute, or when what is under way has been silent for a second: whoever
    is that slow is waited for beside other work (`_note_beside`).
    """
    started = progress_at = time.monotonic()
    under_way: dict[Future[Answer], Claimed] = {}
    tried = 0
    while time.monotonic() - progress_at < PATIENCE_SECONDS:
        is_over = time.monotonic() - started > SLICE_SECONDS
        submitted = 0 if is_over else _submit_due(under_way)
        done = wait(under_way, timeout=0.25, return_when=FIRST_COMPLETED).done if under_way else set()
        _note_progress([(under_way.pop(future).delivery, future.result()) for future in done])
        tried += submitted
        if submitted or done:
            progress_at = time.monotonic()
        elif not under_way:
            break
    if time.monotonic() - started > SLICE_SECONDS:
        enqueue("notifications.tasks.send_webhooks")
    _note_beside(under_way)
    watch_claims()
    return tried


def _note_progress(results: Sequence[tuple[WebhookDelivery, Answer]]) -> None:
    """Write down how some tries went: a worker that dies later on has not died of this task for nothing."""
    note(results)
    if results:
        note_progress()


def left_behind() -> int:
    """Return how many sends this process waits for beside its work."""
    return len(_left_behind)


def _note_beside(under_way: dict[Future[Answer], Claimed]) -> None:
    """Let the threads that are still waiting note their answers themselves: no worker waits for the slow."""
    for future, claimed in under_way.items():
        _left_behind[future] = claimed
        future.add_done_callback(_note_late)


def _note_late(future: Future[Answer]) -> None:
    claimed = _left_behind[future]
    try:
        with transaction.atomic():
            note([(claimed.delivery, future.result())])
            enqueue("notifications.tasks.send_webhooks")
    except (DatabaseError, InterfaceError):
        # The claim's lease ends, and the message is sent again under the same id.
        logger.warning("answer not noted", exc_info=True, extra={"delivery": str(claimed.delivery.id)})
    finally:
        del _left_behind[future]
        connection.close()


def _submit_due(under_way: dict[Future[Answer], Claimed]) -> int:
    """Claim as much as there are free threads for, and hand it to them; return how much."""
    busy = [*under_way.values(), *list(_left_behind.values())]
    unproven = sum(not claimed.is_proven for claimed in busy)
    free = THREADS - len(busy)
    claimed = claim(proven=free, unproven=min(free, UNPROVEN_THREADS - unproven)) if free > 0 else []
    allowed = _still_allowed(claimed)
    suppress([one.delivery for one in claimed if one.delivery.id not in allowed])
    letters = [_Letter.of(one) for one in claimed if one.delivery.id in allowed]
    for letter in letters:
        under_way[_threads(getpid()).submit(_send, letter)] = letter.claimed
    return len(letters)


def _still_allowed(claimed: Iterable[Claimed]) -> set[object]:
    """Return the ids of those deliveries whose owner may (still) sign in and read the event."""
    deliveries = [one.delivery for one in claimed]
    callers = callers_of(delivery.endpoint.owner_id for delivery in deliveries)
    events = {event.id: event for event in Event.objects.filter(id__in={one.event_id for one in deliveries})}
    allowed: set[object] = set()
    for owner, caller in callers.items():
        theirs = [delivery for delivery in deliveries if delivery.endpoint.owner_id == owner]
        told = {events[one.event_id].id: events[one.event_id] for one in theirs if one.event_id in events}
        seen = {event.id for event in readable(caller, list(told.values()))} if told else set()
        allowed.update(one.id for one in theirs if one.event_type == TEST_TYPE or one.event_id in seen)
    return allowed


@lru_cache(maxsize=1)
def _threads(process_id: int) -> ThreadPoolExecutor:
    """Return the threads that send; a forked child needs its own."""
    return ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="webhook")


def _send(letter: _Letter) -> Answer:
    """Send one letter; whatever goes wrong is an answer."""
    started_at, started = timezone.now(), time.monotonic()
    timestamp = int(time.time())
    headers = {
        "content-type": "application/json",
        "user-agent": "nook-link-webhooks/1",
        **signed_headers(letter.message_id, timestamp, letter.body, letter.secrets),
    }
    try:
        response = request(
            "POST",
            letter.url,
            data=letter.body,
            headers=headers,
            timeout=settings.WEBHOOK_TIMEOUT_SECONDS,
            max_bytes=BODY_LIMIT,
            allowed_hosts=settings.WEBHOOK_ALLOWED_HOSTS,
            circuit=f"webhook:{letter.claimed.delivery.endpoint_id}",
            circuit_policy=CIRCUIT,
            cut=True,
            keeps=True,
        )
    except CircuitOpen:
        return Answer(started_at, 0, is_postponed=True, text="failed too often; left alone for a while")
    except RequestFailed as failure:
        return Answer(started_at, _milliseconds(started), text=str(failure))
    except Exception:  # the edge of a thread: a fault of ours is one failed try, and the others go on
        logger.exception("webhook not sent", extra={"delivery": str(letter.claimed.delivery.id)})
        return Answer(started_at, _milliseconds(started), text="a fault on our side")
    return _answer(response, started_at, _milliseconds(started))


def _answer(response: Response, started_at: datetime, milliseconds: int) -> Answer:
    text = response.body[: 4 * _EXCERPT].decode(errors="replace").replace("\0", "")
    return Answer(started_at, milliseconds, response=response, text=redact_text(text)[:_EXCERPT])


def _milliseconds(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
