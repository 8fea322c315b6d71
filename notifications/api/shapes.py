"""Notifications and their deliveries as the API shows them."""

import re
from typing import Any, Final

from rest_framework import serializers

from core.api.serializers import StrictSerializer
from notifications.kinds import KINDS
from notifications.models import COLLECTED, COLLECTING, DELIVERED, HELD, IN_APP, QUEUED, SENDING, Message, Notification
from notifications.overrides import Overrides
from notifications.templates import title_and_text

_SHOWN_STATES: Final = {HELD: QUEUED, COLLECTING: QUEUED, SENDING: QUEUED}
"""States of ours that are one to whoever waits for the message."""

SHOWN_STATES: Final = ("queued", "sent", "delivered", "bounced", "failed", "suppressed")

_ADDRESS: Final = re.compile(r"[^\s<>@]+@[^\s<>@]+|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[\w-]+\.){2,}[a-z]{2,}\b|\+\d{6,}")
_LONGEST_ANSWER: Final = 200


class SubjectShape(StrictSerializer):
    type = serializers.CharField()
    id = serializers.CharField()


class NotificationShape(StrictSerializer):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    category = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]  # the metaclass takes it; the property stays
    subject = SubjectShape(allow_null=True)
    unread = serializers.BooleanField()
    read_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class CountShape(StrictSerializer):
    count = serializers.IntegerField()


class AttemptShape(StrictSerializer):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.CharField()
    answer = serializers.CharField()
    next_try_at = serializers.DateTimeField(allow_null=True)


class DeliveryShape(StrictSerializer):
    channel = serializers.CharField()
    state = serializers.ChoiceField(choices=SHOWN_STATES)
    digest = serializers.BooleanField()
    not_before = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    attempts = AttemptShape(many=True)


NOTIFICATION_EXAMPLE: Final = {
    "id": "01939a33-9c1e-7f30-8a55-6b1d0c9e7a21",
    "kind": "resource.shared",
    "category": "work",
    "title": "Olive Owner shared “March” with you",
    "text": "You are viewer of it.",
    "data": {"giver": "Olive Owner", "resource": "March", "access": "viewer"},
    "subject": {"type": "resource", "id": "01939a2e-0f3b-7c55-8a41-7d9e6b2c1f00"},
    "unread": True,
    "read_at": None,
    "created_at": "2026-11-21T09:30:00.000000Z",
}
READ_EXAMPLE: Final = {**NOTIFICATION_EXAMPLE, "unread": False, "read_at": "2026-11-21T09:41:00.000000Z"}
DELIVERIES_EXAMPLE: Final = [
    {
        "channel": "in_app",
        "state": "delivered",
        "digest": False,
        "not_before": None,
        "sent_at": "2026-11-21T09:30:00.000000Z",
        "attempts": [],
    },
    {
        "channel": "email",
        "state": "sent",
        "digest": False,
        "not_before": None,
        "sent_at": "2026-11-21T09:30:02.000000Z",
        "attempts": [
            {
                "number": 1,
                "started_at": "2026-11-21T09:30:01.000000Z",
                "finished_at": "2026-11-21T09:30:02.000000Z",
                "outcome": "sent",
                "answer": "250 OK queued",
                "next_try_at": None,
            }
        ],
    },
]


def notification_shape(notification: Notification, locale: str, wordings: Overrides | None = None) -> dict[str, Any]:
    """Return the notification in its reader's language; who shows many gives staff's wordings, read once."""
    title, text = title_and_text(notification, locale, wordings)
    kind = KINDS.get(notification.kind)
    has_subject = bool(notification.subject_type)
    return {
        "id": notification.pk,
        "kind": notification.kind,
        "category": kind.category if kind else "",
        "title": title,
        "text": text,
        "data": notification.context,
        "subject": {"type": notification.subject_type, "id": notification.subject_id} if has_subject else None,
        "unread": notification.read_at is None,
        "read_at": notification.read_at,
        "created_at": notification.created_at,
    }


def deliveries_shape(notification: Notification, messages: list[Message]) -> list[dict[str, Any]]:
    """Return what became of the notification on each channel: the inbox first."""
    return [_in_app(notification), *(_delivery(message) for message in messages)]


def _in_app(notification: Notification) -> dict[str, Any]:
    arrived = {"state": DELIVERED, "digest": False, "not_before": None, "sent_at": notification.created_at}
    return {"channel": IN_APP, **arrived, "attempts": []}


def _delivery(message: Message) -> dict[str, Any]:
    """Return one message's way; that of the digest it went along in, if it did."""
    is_carried = message.state == COLLECTED and message.carrier is not None
    carrier: Message = message.carrier if is_carried and message.carrier else message
    return {
        "channel": message.channel,
        "state": _SHOWN_STATES.get(carrier.state, carrier.state),
        "digest": is_carried or message.state == COLLECTING,
        "not_before": message.not_before if message.state in {HELD, COLLECTING} else None,
        "sent_at": carrier.sent_at,
        "attempts": [
            {
                "number": attempt.number,
                "started_at": attempt.created_at,
                "finished_at": attempt.finished_at,
                "outcome": attempt.outcome,
                "answer": redacted(attempt.answer),
                "next_try_at": attempt.next_try_at,
            }
            for attempt in sorted(carrier.attempts.all(), key=lambda attempt: attempt.number)
        ],
    }


def redacted(answer: str) -> str:
    """Return what the other side said without addresses and names of machines: those are for staff."""
    return _ADDRESS.sub("…", answer)[:_LONGEST_ANSWER]
