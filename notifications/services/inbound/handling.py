"""Working off what came in: each handler once for each message and turn, in the transaction of its effect."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from core.events import publish
from core.permissions import Caller
from core.queue import enqueue_many
from notifications.inbound_handlers import Inbound, handler_named, handlers_of, is_in_transaction
from notifications.models.inbound import FAILED, HANDLED, RECEIVED, UNCLAIMED, InboundHandling, InboundWebhook

_BATCH: Final = 1000
_MARK: Final = """
INSERT INTO inbound_handlings (message_id, handler, turn) VALUES (%s, %s, %s)
ON CONFLICT (message_id, handler, turn) DO NOTHING
"""


@transaction.atomic
def hand_out(*, message_id: UUID) -> int:
    """Promise the message to each of its handlers; return to how many. Nobody's is marked as that."""
    message = _locked(message_id)
    if message is None:
        return 0
    names = handlers_of(message.source.key, message.type)
    if not names:
        InboundWebhook.objects.filter(pk=message.pk).update(state=UNCLAIMED)
        return 0
    calls = [{"message_id": str(message.pk), "handler": name, "turn": message.turn} for name in names]
    enqueue_many("notifications.tasks.handle_inbound", calls)
    return len(names)


def handle(*, message_id: UUID, handler: str, turn: int) -> bool:
    """Let the handler work off the message unless it has; return whether it did now."""
    message = InboundWebhook.objects.select_related("source").filter(pk=message_id, turn=turn).first()
    if message is None:
        return False
    if is_in_transaction(handler):
        return _handle_whole(message, handler)
    if message.handlings.filter(handler=handler, turn=turn, failed_at=None).exists():
        return False
    handler_named(handler)(_told(message))
    with transaction.atomic():
        is_first = _mark(message, handler)
        _settle(message)
    return is_first


@transaction.atomic
def _handle_whole(message: InboundWebhook, handler: str) -> bool:
    if not _mark(message, handler):
        return False
    handler_named(handler)(_told(message))
    _settle(message)
    return True


def _mark(message: InboundWebhook, handler: str) -> bool:
    """Note that the handler has worked off the message; return False where that is noted already."""
    message.handlings.filter(handler=handler, turn=message.turn, failed_at__isnull=False).delete()
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [message.pk, handler, message.turn])
        return bool(cursor.rowcount)


@transaction.atomic
def give_up(*, message_id: UUID, handler: str, turn: int) -> None:
    """Note that the handler failed too often."""
    message = _locked(message_id)
    if message is None or message.turn != turn:
        return
    InboundHandling.objects.update_or_create(message=message, handler=handler, turn=turn, defaults={"failed_at": Now()})
    InboundWebhook.objects.filter(pk=message.pk).update(state=FAILED)


def replay(*, actor: Caller, messages: QuerySet[InboundWebhook]) -> int:
    """Have messages worked off once more, by all their handlers; return how many."""
    ids = list(messages.order_by("pk").values_list("pk", flat=True))
    return sum(_replay_batch(actor, ids[start : start + _BATCH]) for start in range(0, len(ids), _BATCH))


def purge_inbound() -> int:
    """Delete what was kept long enough, or what it said; return how many messages."""
    removed = 0
    old = InboundWebhook.objects.past_their_time()
    while ids := list(old.values_list("pk", flat=True)[:_BATCH]):
        with transaction.atomic():
            stays = list(InboundWebhook.objects.answers_to_texts().filter(pk__in=ids))
            for message in stays:
                message.body, message.query, message.size = b"", "", 0
                message.save(update_fields=["body", "query", "size"])
            InboundWebhook.objects.filter(pk__in=set(ids) - {message.pk for message in stays}).delete()
        removed += len(ids)
    return removed


@transaction.atomic
def _replay_batch(actor: Caller, ids: Iterable[UUID]) -> int:
    rows = list(InboundWebhook.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").defer("body"))
    InboundWebhook.objects.filter(pk__in=[row.pk for row in rows]).update(
        turn=F("turn") + 1, state=RECEIVED, handled_at=None
    )
    for row in rows:
        publish("webhook.replayed", subject=row, actor=actor, data={"event_id": row.event_id, "turn": row.turn + 1})
        hand_out(message_id=row.pk)
    return len(rows)


def _settle(message: InboundWebhook) -> None:
    """Mark the message as handled when this was the last of its handlers."""
    locked = _locked(message.pk)
    if locked is None:
        return
    done = set(message.handlings.filter(turn=message.turn, failed_at=None).values_list("handler", flat=True))
    if done.issuperset(handlers_of(message.source.key, message.type)):
        InboundWebhook.objects.filter(pk=message.pk).update(state=HANDLED, handled_at=Now())


def _locked(message_id: UUID) -> InboundWebhook | None:
    rows = InboundWebhook.objects.select_for_update(of=("self",), no_key=True).select_related("source")
    return rows.filter(pk=message_id).defer("body").first()


def _told(message: InboundWebhook) -> Inbound:
    return Inbound(
        message.source.key,
        message.event_id,
        message.type,
        message.content_type,
        message.body,
        message.created_at,
        message.query,
    )
