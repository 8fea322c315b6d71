"""What notifications hold about a person: what they were told and how they want to be told; their webhooks."""

from collections.abc import Iterator
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import F, Q
from django.db.models.functions import Lower

from core.personal_data import Erasure, PersonalFile, erases_personal_data, exports_personal_data, rows_of
from notifications.models import Message, Notification, NotificationPreferences, WebhookDelivery, WebhookEndpoint
from notifications.models.devices import Device
from notifications.models.suppressions import SuppressedAddress

_ENDPOINT = ("id", "url", "events", "is_active", "last_success_at", "failing_since", "created_at")
_DELIVERY = ("id", "endpoint_id", "event_id", "event_type", "state", "attempt_count", "delivered_at", "created_at")
_MESSAGE = ("id", "kind", "channel", "address", "locale", "state", "created_at", "sent_at")

_NOTIFICATION = ("id", "kind", "subject_type", "subject_id", "told", "created_at", "read_at", "archived_at")
_PREFERENCES = ("choices", "quiet_from", "quiet_until", "quiet_time_zone", "digest", "updated_at")

_SUPPRESSED = ("id", "address", "reason", "detail", "created_at")
_DEVICE = ("id", "platform", "name", "last_registered_at", "last_reached_at", "created_at")
_TABLES = (
    "messages",
    "notifications",
    "notification_preferences",
    "webhook_endpoints",
    "webhook_deliveries",
    "devices",
    "suppressed_addresses",
)


@exports_personal_data("notifications", tables=_TABLES)
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
    yield PersonalFile(
        "notifications/inbox.json",
        rows_of(Notification.objects.filter(user_id=user_id).annotate(told=F("context")), *_NOTIFICATION),
        about="What you were told, and when you read it.",
    )
    yield PersonalFile(
        "notifications/preferences.json",
        rows_of(NotificationPreferences.objects.filter(user_id=user_id), *_PREFERENCES),
        about="How you want to be told.",
    )
    yield PersonalFile(
        "notifications/devices.json",
        rows_of(Device.objects.filter(user_id=user_id), *_DEVICE),
        about="The browsers and apps that take your notices.",
    )
    person = get_user_model()._default_manager.filter(pk=user_id)
    is_theirs = Q(address__in=person.values(lowered=Lower("email"))) | Q(
        address__in=person.filter(phone__isnull=False).values("phone")
    )
    yield PersonalFile(
        "notifications/suppressed_addresses.json",
        rows_of(SuppressedAddress.objects.filter(is_theirs), *_SUPPRESSED),
        about="Why your address or number is sent nothing more, if it is not.",
    )


@erases_personal_data("notifications", tables=(*_TABLES, "message_attempts", "webhook_attempts", "device_deliveries"))
def erase(erasure: Erasure) -> None:
    """Delete all that is theirs, and messages that were sent to an address of theirs and to no account."""
    erasure.delete(Notification.objects.filter(user_id=erasure.user_id))
    erasure.delete(NotificationPreferences.objects.filter(user_id=erasure.user_id))
    to_them = Q(recipient_id=erasure.user_id) | Q(recipient=None, address__in=sorted(erasure.addresses))
    erasure.delete(Message.objects.filter(to_them))
    erasure.delete(WebhookEndpoint.objects.filter(owner_id=erasure.user_id))
    erasure.delete(Device.objects.filter(user_id=erasure.user_id))
    lowered = sorted(address.lower() for address in erasure.addresses)
    erasure.delete(SuppressedAddress.objects.filter(address__in=lowered))
