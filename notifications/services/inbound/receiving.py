"""Taking in what another program tells: proved, stored once, promised to its handlers."""

from typing import Final

from django.conf import settings
from django.db import transaction

from core.errors import NotFound, ValidationFailed
from core.events import publish
from core.permissions import SYSTEM
from notifications.models.inbound import TEXTS, TWILIO, InboundWebhook, WebhookSource
from notifications.services.inbound.proofs import Incoming, Told
from notifications.services.inbound.schemes import verified

_LONGEST_QUERY: Final = 1000


def receive(*, source_key: str, incoming: Incoming) -> tuple[InboundWebhook, bool]:
    """Store a message, and return it and whether it is new: the same event id again has no effect.

    Raises `NotFound` for an unknown source or one that is off, `InvalidSignature`, and `ValidationFailed`.
    """
    source = _source(source_key)
    if len(incoming.query) > _LONGEST_QUERY:
        raise ValidationFailed.of(None, "max_length", "The query of the address is too long.")
    # Of some schemes a certificate is fetched for it: no transaction waits for that.
    return _stored(source, incoming, verified(source, incoming))


@transaction.atomic
def _stored(source: WebhookSource, incoming: Incoming, told: Told) -> tuple[InboundWebhook, bool]:
    source = _registered(source)
    message = InboundWebhook(
        source=source,
        event_id=told.event_id,
        type=told.type,
        content_type=incoming.headers.get("content-type", "").replace("\0", "")[:200],
        query=incoming.query,
        body=incoming.body,
        size=len(incoming.body),
    )
    InboundWebhook.objects.bulk_create([message], ignore_conflicts=True)
    stored = InboundWebhook.objects.only("event_id").get(source=source, event_id=told.event_id)
    is_new = stored.pk == message.pk
    if is_new:
        facts = {"source": source.key, "event_id": told.event_id, "type": told.type, "size": len(incoming.body)}
        publish("webhook.received", subject=message, actor=SYSTEM, data=facts)
    return stored, is_new


def _source(key: str) -> WebhookSource:
    """Return the source; that of our own texts is there as soon as a provider is configured."""
    source = WebhookSource.objects.filter(key=key).first()
    if source is None and key == TEXTS and settings.SMS.get("scheme") == TWILIO:
        return WebhookSource(key=key, name="Text messages", scheme=TWILIO, secret="")
    if source is None or not source.is_active:
        raise NotFound
    return source


def _registered(source: WebhookSource) -> WebhookSource:
    """Return the source's row; one that is not kept yet is kept now that somebody has proved to be it."""
    if not source._state.adding:
        return source
    WebhookSource.objects.bulk_create([source], ignore_conflicts=True)
    return WebhookSource.objects.get(key=source.key)
