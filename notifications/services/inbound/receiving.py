"""Taking in what another program tells: proved, stored once, promised to its handlers."""

from django.db import transaction

from core.errors import NotFound
from core.events import publish
from core.permissions import SYSTEM
from notifications.models.inbound import InboundWebhook, WebhookSource
from notifications.services.inbound.schemes import Headers, verified


@transaction.atomic
def receive(*, source_key: str, headers: Headers, body: bytes) -> tuple[InboundWebhook, bool]:
    """Store a message, and return it and whether it is new: the same event id again has no effect.

    Raises `NotFound` for an unknown source or one that is off, `InvalidSignature`, and `ValidationFailed`.
    """
    source = WebhookSource.objects.filter(key=source_key, is_active=True).first()
    if source is None:
        raise NotFound
    told = verified(source, headers, body)
    message = InboundWebhook(
        source=source,
        event_id=told.event_id,
        type=told.type,
        content_type=headers.get("content-type", "").replace("\0", "")[:200],
        body=body,
        size=len(body),
    )
    InboundWebhook.objects.bulk_create([message], ignore_conflicts=True)
    stored = InboundWebhook.objects.only("event_id").get(source=source, event_id=told.event_id)
    is_new = stored.pk == message.pk
    if is_new:
        facts = {"source": source.key, "event_id": told.event_id, "type": told.type, "size": len(body)}
        publish("webhook.received", subject=message, actor=SYSTEM, data=facts)
    return stored, is_new
