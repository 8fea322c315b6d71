"""What notifications hold about a person: the messages to them, and their webhooks."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q

from core.personal_data import Erasure, PersonalFile, erases_personal_data, exports_personal_data, rows_of
from notifications.models import Message, WebhookDelivery, WebhookEndpoint

_ENDPOINT = ("id", "url", "events", "is_active", "last_success_at", "failing_since", "created_at")
_DELIVERY = ("id", "endpoint_id", "event_id", "event_type", "state", "attempt_count", "delivered_at", "created_at")
_MESSAGE = ("id", "kind", "channel", "address", "locale", "state", "created_at", "sent_at")


@exports_personal_data("notifications", tables=("messages", "webhook_endpoints", "webhook_deliveries"))
def export(user_id: UUID) -> Iterator[PersonalFile]:
    """Yield what was sent to the person and when; not the texts, which hold links that may still serve."""
    messages = Message.objects.filter(recipient_id=user_id)
    yield PersonalFile(
        "notifications/messages.json", rows_of(messages, *_MESSAGE), about="What was sent to you, and when."
    )
    endpoints = WebhookEndpoint.objects.filter(owner_id=user_id)
    yield PersonalFile(
        "notifications/webhooks.json", rows_of(endpoints, *_ENDPOINT), about="Where your events are sent to."
    )
    deliveries = WebhookDelivery.objects.filter(endpoint__owner_id=user_id)
    yield PersonalFile(
        "notifications/webhook_deliveries.json",
        rows_of(deliveries, *_DELIVERY),
        about="Which events were sent to your webhooks, and what became of them.",
    )


@erases_personal_data(
    "notifications",
    tables=("messages", "message_attempts", "webhook_endpoints", "webhook_deliveries", "webhook_attempts"),
)
def erase(erasure: Erasure) -> None:
    """Delete the person's webhooks, and the messages to them, those too that went to an address and to no account."""
    to_them = Q(recipient_id=erasure.user_id) | Q(recipient=None, address__in=sorted(erasure.addresses))
    erasure.delete(Message.objects.filter(to_them))
    erasure.delete(WebhookEndpoint.objects.filter(owner_id=erasure.user_id))
