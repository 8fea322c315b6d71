"""Writing messages: the row now, the delivery after commit."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from core.events import publish
from core.permissions import Caller
from core.queue import enqueue
from notifications.kinds import kind_of
from notifications.models import COLLECTED, MAX_ATTEMPTS, OPEN_STATES, QUEUED, SENDING, WAITING_STATES, Message

_ABANDONED_AFTER: Final = timedelta(hours=1)


@transaction.atomic
def send(
    kind: str,
    *,
    to: UUID | None = None,
    address: str = "",
    name: str = "",
    locale: str = "",
    context: Mapping[str, str] | None = None,
    dedup_key: str | None = None,
    expires_at: datetime | None = None,
) -> Message:
    """Write the message and promise its delivery, in the caller's transaction; past `expires_at` it is not sent.

    `to` is a user, whose address, name and language are taken where none is given. With a `dedup_key`
    that was used before, the earlier message is returned and nothing is sent. Raises `UnknownKind`, and
    `ValueError` for variables that the kind does not have or lacks.
    """
    variables = dict(context or {})
    sort = kind_of(kind)
    sort.refuse_wrong_variables(frozenset(variables))
    user: Any = None if address and name and locale else _user(to)
    message = Message(
        kind=kind,
        channel=sort.channel,
        recipient_id=to,
        address=address or user.email,
        locale=locale or getattr(user, "locale", "en"),
        context={"name": name or getattr(user, "name", ""), **variables},
        dedup_key=dedup_key,
        expires_at=expires_at,
    )
    message.message_id = f"<{message.id}@{mail_host()}>"
    earlier = _write(message)
    if earlier is None:
        enqueue("notifications.tasks.deliver", message_id=str(message.id), queue=sort.queue)
    return earlier or message


@transaction.atomic
def resend(*, message_ids: Iterable[UUID], actor: Caller) -> int:
    """Queue messages again that are not under way, with a full set of attempts; return how many."""
    messages = Message.objects.select_for_update().filter(id__in=list(message_ids)).order_by("id")
    finished = [message for message in messages if not _is_under_way(message)]
    for message in finished:
        before = message.state
        Message.objects.filter(id=message.id).update(state=QUEUED, attempts_left=MAX_ATTEMPTS, sent_at=None)
        enqueue("notifications.tasks.deliver", message_id=str(message.id))
        publish(
            "notification.resent",
            subject=message,
            actor=actor,
            data={"kind": message.kind, "before": {"state": before}, "after": {"state": QUEUED}},
        )
    return len(finished)


def _is_under_way(message: Message) -> bool:
    """Return whether a run will still come for it; none does where a worker died with it and its task was given up."""
    if message.state == SENDING and message.claimed_at is not None:
        return timezone.now() - message.claimed_at < _ABANDONED_AFTER
    return message.state in (*OPEN_STATES, *WAITING_STATES, COLLECTED)


def _user(user_id: UUID | None) -> Any:
    return None if user_id is None else get_user_model()._default_manager.get(pk=user_id)


def _write(message: Message) -> Message | None:
    """Insert the row; return the row that already has its dedup key, if there is one."""
    if message.dedup_key is None:
        message.save(force_insert=True)
        return None
    Message.objects.bulk_create([message], ignore_conflicts=True)
    holder = Message.objects.get(dedup_key=message.dedup_key)
    return None if holder.id == message.id else holder


def mail_host() -> str:
    """Return the right side of our Message-IDs: the host that people know us by, else the sender's domain."""
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return urlsplit(settings.PUBLIC_URL).hostname or sender.rpartition("@")[2] or "localhost"
