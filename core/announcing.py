"""Pub/sub for programs beside ours: every event goes to a topic exchange of the broker, by its type.

A program binds a queue of its own (`resource.#`, `user.created`) to the exchange `EVENT_EXCHANGE` and hears of what it
asked for. A message says what happened to what, and carries no values: whoever may see them asks the API. It comes at
least once, under the event's id; a queue that is bound later hears from then on.
"""

from typing import Any, Final

from celery import current_app
from django.conf import settings
from kombu.entity import Exchange

from core.models import Event
from core.times import rfc3339

VERSION: Final = 1
_CONFIRM_SECONDS: Final = 10


def is_wanted(_type: str = "") -> bool:
    """Return whether events are announced at all: nothing is queued where nobody can listen."""
    return bool(settings.EVENT_EXCHANGE)


def announce(event: Event) -> None:
    """Publish the event, and return when the broker has taken it; raises what kombu does where it does not."""
    exchange = Exchange(settings.EVENT_EXCHANGE, type="topic", durable=True)
    with current_app.pool.acquire(block=True) as broker, broker.channel() as channel:
        broker.Producer(channel).publish(
            body_of(event),
            exchange=exchange,
            routing_key=event.type,
            declare=[exchange],
            serializer="json",
            message_id=str(event.id),
            type=event.type,
            delivery_mode="persistent",
            retry=False,
            confirm_timeout=_CONFIRM_SECONDS,
        )


def body_of(event: Event) -> dict[str, Any]:
    """Return what is told of the event, as webhooks tell it."""
    subject = {"type": event.subject_type, "id": event.subject_id}
    actor = None if event.actor is None else str(event.actor)
    return {
        "type": event.type,
        "timestamp": rfc3339(event.occurred_at),
        "version": VERSION,
        "data": {"id": str(event.id), "subject": subject, "actor": actor},
    }
