"""Letting go what waits: at the end of quiet hours, when a digest is due, and what goes to many bit by bit.

A release is one short transaction under a lock, and promises the next one while more is due. Of each lane so many
messages are under way and no more, so the queues are short for whoever comes next. A worker that is killed takes
nothing with it: what was not committed still waits, and the run is taken up by another.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from core.locks import NamedLock
from core.models import OutboxRow
from core.queue import enqueue, enqueue_many
from notifications.kinds import DIGEST
from notifications.models import (
    BULK_LANE,
    COLLECTED,
    COLLECTING,
    EMAIL,
    HELD,
    HOURLY,
    OPEN_STATES,
    OWN_LANE,
    QUEUED,
    SUPPRESSED,
    WAITING_STATES,
    Message,
)
from notifications.services.concerning import still_concerns, wants
from notifications.services.preferences import preferences_of
from notifications.services.sending import send

UNDER_WAY: Final = 500
"""How many messages of a lane wait for their first try at most."""

_DIGESTS_AT_ONCE: Final = 50
_TASK: Final = "notifications.tasks.release"
_LOCK: Final = NamedLock("notifications.release")


@transaction.atomic
def release_messages() -> int:
    """Queue what is due, as far as there is room; return how many messages. Another release at work does it instead."""
    if not _LOCK.hold_if_free():
        return 0
    released = sum(_release(lane) for lane in (OWN_LANE, BULK_LANE)) + _send_digests()
    if _due().exists():
        promise_release(delay=timedelta(seconds=0.5))
    return released


def promise_release(*, delay: timedelta = timedelta(0)) -> None:
    """Promise a release, in the caller's transaction, unless one is promised already."""
    if not OutboxRow.objects.filter(task=_TASK, leased_by=None).exists():
        enqueue("notifications.tasks.release", delay=delay)


def _due() -> QuerySet[Message]:
    return Message.objects.filter(state__in=WAITING_STATES, not_before__lte=Now())


def _release(lane: str) -> int:
    # Those on a second try are left out: a server that is down holds nobody else up.
    under_way = Message.objects.filter(lane=lane, state__in=OPEN_STATES, attempt_count=0)[:UNDER_WAY].count()
    due = _due().filter(state=HELD, lane=lane).order_by("not_before", "id").select_for_update(skip_locked=True)
    ids = list(due.values_list("id", flat=True)[: UNDER_WAY - under_way])
    Message.objects.filter(id__in=ids).update(state=QUEUED, not_before=None)
    enqueue_many("notifications.tasks.deliver", [{"message_id": str(number)} for number in ids], queue=lane)
    return len(ids)


def _send_digests() -> int:
    due = _due().filter(state=COLLECTING).order_by().values_list("recipient_id", flat=True).distinct()
    return sum(_send_digest(user_id) for user_id in list(due[:_DIGESTS_AT_ONCE]) if user_id is not None)


def _send_digest(user_id: UUID) -> bool:
    """Send one person what is due in one mail; what no longer concerns them is left out. Return whether it is sent."""
    rows = _due().filter(state=COLLECTING, recipient_id=user_id).select_for_update(of=("self",), skip_locked=True)
    waiting = list(rows.select_related("notification").order_by("id"))
    is_wanted = wants(user_id, DIGEST, EMAIL) and _is_there(user_id)
    carried = [message.id for message in waiting if is_wanted and still_concerns(message)]
    left_out = Q(id__in=[message.id for message in waiting]) & ~Q(id__in=carried)
    Message.objects.filter(left_out).update(state=SUPPRESSED, not_before=None)
    if not carried:
        return False
    period = "hour" if preferences_of(user_id).digest == HOURLY else "day"
    # Named after its first part, so that no part can go twice.
    digest = send(DIGEST, to=user_id, context={"period": period}, dedup_key=f"digest:{carried[0]}")
    Message.objects.filter(id__in=carried).update(state=COLLECTED, carrier=digest, not_before=None)
    return True


def _is_there(user_id: UUID) -> bool:
    return get_user_model()._default_manager.filter(pk=user_id, is_active=True).exists()
