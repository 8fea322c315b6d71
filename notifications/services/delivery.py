"""Delivering one message: claim, hand over, note the answer.

queued → sending → sent, or back to queued for another try, or failed. The claim is a short lease, and
the channel asks once more (the fence) right before the step that cannot be taken back, so however often
and however parallel the task runs, one mail leaves. What remains is a worker that dies, or a server
that hangs, between the server's yes and our note of it: then the mail is sent again, with the same
Message-ID, by which mail systems drop the second copy.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from random import SystemRandom
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.template import TemplateDoesNotExist
from django.utils import timezone

from core import beside
from core.crypto import DecryptionFailed
from core.events import publish
from core.identifiers import uuid7
from core.permissions import SYSTEM
from core.plans import Insertion, Statement
from notifications.channels import CHANNELS, Channel, DeliveryFailed, Fence, Outgoing
from notifications.kinds import UnknownKind
from notifications.models import (
    BOUNCED,
    DELIVERED,
    FAILED,
    OUTCOME_DEFERRED,
    OUTCOME_INTERRUPTED,
    OUTCOME_REFUSED,
    OUTCOME_SENT,
    QUEUED,
    SENDING,
    SENT,
    SUPPRESSED,
    Message,
    MessageAttempt,
)
from notifications.services.concerning import still_concerns
from notifications.services.message_templates import note_fallback
from notifications.services.suppression import Suppressed, refuse_suppressed, suppress
from notifications.templates import render

LONGEST_WAIT: Final = timedelta(hours=1)

_LONGEST_TIMEOUT: Final = 10.0
_CROWDED_FOR: Final = timedelta(seconds=10)
_SOON: Final = timedelta(seconds=1)

_random: Final = SystemRandom()


# The usual case in one statement; `_claim_with_care` sees to every other.
_CLAIM: Final = f"""
WITH claimed AS (
    UPDATE messages
    SET state = '{SENDING}', attempt_count = attempt_count + 1, attempts_left = greatest(attempts_left - 1, 0),
        claimed_at = %(now)s, next_try_at = NULL
    WHERE id = %(id)s AND state = '{QUEUED}' AND (next_try_at IS NULL OR next_try_at <= %(soon)s)
        AND NOT channel = ANY(%(full)s)
    RETURNING *
), attempt AS (
    INSERT INTO message_attempts (id, message_id, number) SELECT %(attempt)s, id, attempt_count FROM claimed
)
SELECT * FROM claimed
"""  # noqa: S608  # constants
# These two are run for every message that leaves; the ORM would write them anew each time, and that takes longer.
_RENEW_CLAIM: Final = Statement(f"""
UPDATE messages SET claimed_at = {{$now}}
WHERE id = {{$id}} AND state = '{SENDING}' AND attempt_count = {{$attempt}} RETURNING 1
""")  # noqa: S608  # constants
# What its provider has told meanwhile is news: `delivered` is not undone by a `sent` that is noted late.
_NOTE_SENT: Final = Statement(f"""
WITH closed AS (
    UPDATE message_attempts
    SET finished_at = statement_timestamp(), outcome = '{OUTCOME_SENT}', answer = {{$answer}}, next_try_at = NULL
    WHERE message_id = {{$id}} AND finished_at IS NULL AND number <= {{$attempt}}
)
UPDATE messages
SET state = CASE WHEN state IN ('{DELIVERED}', '{BOUNCED}') THEN state ELSE '{SENT}' END,
    sent_at = statement_timestamp(), claimed_at = NULL
WHERE id = {{$id}} RETURNING 1
""")  # noqa: S608  # constants


@lru_cache(maxsize=1)
def _attempt_insertion() -> Insertion:
    return Insertion(MessageAttempt, "id", "message", "number")


@dataclass(frozen=True, slots=True)
class Postponed:
    """The message is not delivered yet: try again after `wait`; that was an attempt, unless nobody was asked."""

    wait: timedelta
    reason: str
    is_attempt: bool = True


class AttemptsExhausted(Exception):
    """The other side was not able to take the message in any of its attempts."""


class ClaimLost(Exception):
    """Another worker has taken the message over."""


def deliver(*, message_id: UUID) -> Postponed | None:
    """Deliver the message if it still is to be delivered; return when to try again, None when nothing is left to do.

    Raises `AttemptsExhausted` when this was the last attempt. A server that lets a worker wait is waited for beside
    other work; then a later run sees what came of it.
    """
    claimed = _claim(message_id)
    if not isinstance(claimed, Message):
        return claimed
    if claimed.attempts_left == 0:
        # Whoever runs this has to hear that it was the last one: it is waited for.
        return _attempt(claimed)
    try:
        return beside.run(claimed.channel, lambda: _attempt(claimed))
    except beside.LeftBehind:
        return Postponed(lease(claimed), "the other side is waited for beside other work", is_attempt=False)


def _attempt(claimed: Message) -> Postponed | None:
    if not still_concerns(claimed):
        _suppress(claimed, "not sent: it no longer concerns the recipient, or was switched off")
        return None
    try:
        answer = _channel_of(claimed).send(_written(claimed), fence=_fence(claimed))
    except Suppressed as reason:
        _suppress(claimed, str(reason))
        return None
    except ClaimLost:
        return Postponed(lease(claimed), "another worker is sending this message")
    except DeliveryFailed as failure:
        postponed = _note_failure(claimed, failure)
        if postponed is None and not failure.permanent:
            raise AttemptsExhausted(failure.answer) from failure
        return postponed
    _note_success(claimed, answer)
    return None


def _channel_of(message: Message) -> Channel:
    """Return the channel; one that this release does not know (any more, or yet) is tried again."""
    try:
        return CHANNELS[message.channel]
    except KeyError:
        raise DeliveryFailed(f"there is no channel {message.channel}", permanent=False) from None


def _written(message: Message) -> Outgoing:
    """Return the message as it goes out; one that this release cannot write (any more, or yet) is tried again."""
    if message.expires_at is not None and message.expires_at <= timezone.now():
        raise DeliveryFailed("too late: what it says holds no longer", permanent=True)
    if message.notification_id is not None:
        _readdress(message)
    refuse_suppressed(message)
    try:
        return render(message, fell_back=note_fallback)
    except (UnknownKind, TemplateDoesNotExist, DecryptionFailed) as error:
        raise DeliveryFailed(f"cannot be written: {type(error).__name__}: {error}", permanent=False) from error


def _readdress(message: Message) -> None:
    """Let what waited go to where its recipient is reached now, in the language that they read now."""
    users = get_user_model()._default_manager.filter(pk=message.recipient_id)
    address, locale = (
        users.annotate(reached_at=_channel_of(message).reached_at()).values_list("reached_at", "locale").get()
    )
    if not address:
        raise DeliveryFailed("the recipient has no such address any more", permanent=True)
    if (address, locale) != (message.address, message.locale):
        message.address, message.locale = address, locale
        Message.objects.filter(id=message.id).update(address=address, locale=locale)


def lease(message: Message) -> timedelta:
    """Return how long a claim holds: the socket operations that follow the fence, each at its timeout."""
    channel = CHANNELS.get(message.channel)
    return timedelta(seconds=3 * (channel.timeout() if channel else _LONGEST_TIMEOUT))


def _claim(message_id: UUID) -> Message | Postponed | None:
    now = timezone.now()
    parameters = {
        "id": message_id,
        "attempt": uuid7(),
        "now": now,
        "soon": now + _SOON,
        "full": beside.full_lanes(),
    }
    claimed = next(iter(Message.objects.raw(_CLAIM, parameters)), None)
    return claimed or _claim_with_care(message_id)


@transaction.atomic
def _claim_with_care(message_id: UUID) -> Message | Postponed | None:
    message = Message.objects.select_for_update().filter(id=message_id).first()
    if message is None or not _is_deliverable(message):
        return None
    if not beside.has_room(message.channel):
        wait = _CROWDED_FOR * _random.uniform(0.5, 1.0)
        return Postponed(wait, "too many wait for an answer on this channel", is_attempt=False)
    if message.next_try_at is not None and message.next_try_at - timezone.now() > _SOON:
        return Postponed(message.next_try_at - timezone.now(), "its next try is not due yet", is_attempt=False)
    if message.state == SENDING:
        rest = _rest_of_claim(message)
        if rest > timedelta(0):
            return Postponed(rest, "another worker is sending this message")
        _close_attempt(message, OUTCOME_INTERRUPTED, "the worker stopped before it could note the answer")
    message.state = SENDING
    message.attempt_count += 1
    message.attempts_left = max(0, message.attempts_left - 1)
    message.claimed_at = timezone.now()
    message.next_try_at = None
    message.save(update_fields=["state", "attempt_count", "attempts_left", "claimed_at", "next_try_at"])
    _attempt_insertion().run(MessageAttempt(message=message, number=message.attempt_count))
    return message


def _is_deliverable(message: Message) -> bool:
    """Return whether a run may send it; one that used up its attempts is offered again when a person asks for it."""
    return message.state in {QUEUED, SENDING} or (message.state == FAILED and message.attempts_left == 0)


def _rest_of_claim(message: Message) -> timedelta:
    claimed_at = message.claimed_at
    return timedelta(0) if claimed_at is None else claimed_at + lease(message) - timezone.now()


def _fence(message: Message) -> Fence:
    def refuse_if_taken_over() -> None:
        claim = {"id": message.id, "attempt": message.attempt_count, "now": timezone.now()}
        if _RENEW_CLAIM.fetch(claim) is None:
            raise ClaimLost

    return refuse_if_taken_over


def _held(message: Message) -> QuerySet[Message]:
    """Return the row as long as it is in the claim that `message` was read under."""
    return Message.objects.filter(id=message.id, state=SENDING, attempt_count=message.attempt_count)


def _note_success(message: Message, answer: str) -> None:
    # Whoever holds the claim now: the server has it, and the fence keeps the other from sending it too.
    _NOTE_SENT.fetch({"id": message.id, "attempt": message.attempt_count, "answer": _storable(answer)})


@transaction.atomic
def _suppress(message: Message, reason: str) -> None:
    if _held(message).update(state=SUPPRESSED, claimed_at=None):
        _close_attempt(message, OUTCOME_REFUSED, reason)


@transaction.atomic
def _note_failure(message: Message, failure: DeliveryFailed) -> Postponed | None:
    is_over = failure.permanent or message.attempts_left == 0
    wait = timedelta(0) if is_over else _wait_after(message.attempt_count, asked=failure.retry_after)
    next_try_at = None if is_over else timezone.now() + wait
    outcome = OUTCOME_REFUSED if failure.permanent else OUTCOME_DEFERRED
    _close_attempt(message, outcome, failure.answer, next_try_at)
    if failure.lists_as:
        suppress(message.address, reason=failure.lists_as, detail=failure.answer)
    state = FAILED if is_over else QUEUED
    if not _held(message).update(state=state, next_try_at=next_try_at, claimed_at=None):
        return Postponed(lease(message), "another worker is sending this message")
    if not is_over:
        return Postponed(wait, failure.answer)
    publish("notification.failed", subject=message, actor=SYSTEM, data={"kind": message.kind, "outcome": outcome})
    return None


def _close_attempt(message: Message, outcome: str, answer: str, next_try_at: datetime | None = None) -> None:
    MessageAttempt.objects.filter(message=message, finished_at=None, number__lte=message.attempt_count).update(
        finished_at=Now(), outcome=outcome, answer=_storable(answer), next_try_at=next_try_at
    )


def _storable(answer: str) -> str:
    return answer.replace("\0", "")[:1000]


def _wait_after(attempt: int, *, asked: timedelta | None) -> timedelta:
    """Return the wait before the next try: twice as long each time, with jitter so that a crowd spreads out.

    It is never shorter than what the other side asks for, up to the longest wait.
    """
    full = timedelta(seconds=float(settings.MAIL_RETRY_SECONDS)) * 2 ** min(attempt - 1, 16)
    wait: timedelta = min(full, LONGEST_WAIT)
    return max(wait * _random.uniform(0.75, 1.25), min(asked or timedelta(0), LONGEST_WAIT))
