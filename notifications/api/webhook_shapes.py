"""Webhooks as the API takes and shows them."""

from typing import Any, Final

from rest_framework import serializers

from core.api.serializers import StrictSerializer
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.models.webhooks import ATTEMPT_OUTCOMES, DELIVERY_STATES

WEBHOOK_EXAMPLE: Final = {
    "id": "01a1fbd6-3c11-7a04-8f7e-6d1b2f9a0c55",
    "url": "https://hooks.example.com/nook",
    "events": ["resource.*"],
    "active": True,
    "failing_since": None,
    "disabled_at": None,
    "disabled_reason": "",
    "last_success_at": "2026-11-21T09:31:00.000000Z",
    "old_secret_until": None,
    "created_at": "2026-11-21T09:30:00.000000Z",
    "updated_at": "2026-11-21T09:30:00.000000Z",
}
SECRET_EXAMPLE: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105  # an example
DELIVERY_EXAMPLE: Final = {
    "id": "01a1fbd6-4d22-7b15-9a8f-7e2c3a0b1d66",
    "webhook_id": "msg_01a1fbd63c117a048f7e6d1b2f9a0c77",
    "type": "resource.created",
    "state": "delivered",
    "body": '{"type":"resource.created","timestamp":"2026-11-21T09:31:00.000000Z","version":1,"data":{}}',
    "attempts": [
        {
            "number": 1,
            "outcome": "answered",
            "status": 204,
            "answer": "",
            "milliseconds": 41,
            "started_at": "2026-11-21T09:31:00.200000Z",
            "next_attempt_at": None,
        }
    ],
    "next_attempt_at": None,
    "delivered_at": "2026-11-21T09:31:00.241000Z",
    "created_at": "2026-11-21T09:31:00.100000Z",
}


class WebhookInput(StrictSerializer):
    """An endpoint whole (POST, PUT) or in part (PATCH)."""

    ignored_fields = frozenset(WEBHOOK_EXAMPLE) - {"url", "events", "active"}

    url = serializers.CharField(max_length=2048, help_text="`http` or `https`, on the open internet.")
    events = serializers.ListField(
        child=serializers.CharField(max_length=100),
        allow_empty=False,
        max_length=100,
        help_text="Types (`resource.created`), families (`resource.*`) or `*`.",
    )
    active = serializers.BooleanField(default=True)


class WebhookShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    active = serializers.BooleanField()
    failing_since = serializers.DateTimeField(allow_null=True, help_text="Since when no delivery has succeeded.")
    disabled_at = serializers.DateTimeField(allow_null=True)
    disabled_reason = serializers.CharField(allow_blank=True)
    last_success_at = serializers.DateTimeField(allow_null=True)
    old_secret_until = serializers.DateTimeField(allow_null=True, help_text="Until when the old secret signs too.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SecretWebhookShape(WebhookShape):
    secret = serializers.CharField(help_text="Shown this once.")


class WebhookAttemptShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=ATTEMPT_OUTCOMES)
    status = serializers.IntegerField(allow_null=True, help_text="The HTTP status of the answer, if one came.")
    answer = serializers.CharField(help_text="The start of the answer's body, or what went wrong.")
    milliseconds = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)


class WebhookDeliveryShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    webhook_id = serializers.CharField(help_text="The header `webhook-id`, the same on every try.")
    type = serializers.CharField()
    state = serializers.ChoiceField(choices=DELIVERY_STATES)
    body = serializers.CharField(help_text="What was sent, byte for byte.")
    attempts = WebhookAttemptShape(many=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


def webhook_shape(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return the endpoint as its owner sees it; never its secret."""
    return {
        "id": endpoint.pk,
        "url": endpoint.url,
        "events": endpoint.events,
        "active": endpoint.is_active,
        "failing_since": endpoint.failing_since,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
        "last_success_at": endpoint.last_success_at,
        "old_secret_until": endpoint.previous_secret_until,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def delivery_shape(delivery: WebhookDelivery) -> dict[str, Any]:
    """Return the delivery with its tries."""
    attempts = sorted(delivery.attempts.all(), key=lambda attempt: attempt.number)
    return {
        "id": delivery.pk,
        "webhook_id": delivery.webhook_id,
        "type": delivery.event_type,
        "state": delivery.state,
        "body": delivery.body,
        "attempts": [
            {
                "number": attempt.number,
                "outcome": attempt.outcome,
                "status": attempt.status,
                "answer": attempt.answer,
                "milliseconds": attempt.milliseconds,
                "started_at": attempt.started_at,
                "next_attempt_at": attempt.next_attempt_at,
            }
            for attempt in attempts
        ],
        "next_attempt_at": delivery.next_attempt_at,
        "delivered_at": delivery.delivered_at,
        "created_at": delivery.created_at,
    }
