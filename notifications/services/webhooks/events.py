"""From an event to its deliveries: a row for each endpoint that asks for it, whose owner may read it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import orjson
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from core.event_types import patterns_of
from core.identifiers import uuid7
from core.live.readers import may_know, readable
from core.models import Event
from core.permissions import Caller
from core.plans import Statement
from core.queue import enqueue
from core.times import rfc3339
from notifications.models.webhooks import NEVER_SENT, WebhookDelivery, WebhookEndpoint

VERSION: Final = 1
"""Of the payload's form; a change that old receivers would not understand makes another."""

TEST_TYPE: Final = "webhook.test"

_AWAITED: Final = Statement(
    "SELECT EXISTS (SELECT FROM webhook_endpoints WHERE is_active AND events && {$patterns}::varchar(100)[])"
)
# Whoever deletes one waits, or has been waited for: a row of a deleted one would fail at the commit, where nobody
# could tell which it was.
_HOLD: Final = "SELECT id FROM webhook_endpoints WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
_YES: Final = ((b"t",), (b"True",))
"""As the server spells it, and as the driver does while queries are counted."""


def is_awaited(type_: str) -> bool:
    """Return whether an endpoint asks for events of this type: `listening_to`, but prepared, as each event asks it."""
    if type_.startswith(NEVER_SENT):
        return False
    return _AWAITED.fetch({"patterns": patterns_of(type_)}) in _YES


def fan_out(event: Event) -> int:
    """Write the deliveries of an event, once however often it comes; return how many are new."""
    endpoints = list(WebhookEndpoint.objects.listening_to(event.type).order_by("id"))
    callers = callers_of(endpoint.owner_id for endpoint in endpoints)
    bodies = {owner: payload(event, caller) for owner, caller in callers.items() if readable(caller, [event])}
    told = {endpoint: bodies[endpoint.owner_id] for endpoint in endpoints if endpoint.owner_id in bodies}
    return write_deliveries(told, event_id=event.id, type_=event.type)


def write_deliveries(told: Mapping[WebhookEndpoint, str], *, event_id: UUID, type_: str) -> int:
    """Write a row, with its body, for each endpoint that has none of this event, and promise that they are sent.

    Return how many are new. An endpoint that has been deleted meanwhile gets none.
    """
    there = _held([one.pk for one in told]) if told else set()
    rows = [
        WebhookDelivery(endpoint=one, event_id=event_id, event_type=type_, body=body)
        for one, body in told.items()
        if one.pk in there
    ]
    before = WebhookDelivery.objects.filter(event_id=event_id, endpoint__in=[row.endpoint_id for row in rows]).count()
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    if rows:
        enqueue("notifications.tasks.send_webhooks")
    return len(rows) - before


def _held(endpoint_ids: list[UUID]) -> set[UUID]:
    """Return those that are there; nobody deletes them until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [endpoint_ids])
        return {row[0] for row in cursor.fetchall()}


def test_body(endpoint: WebhookEndpoint) -> tuple[UUID, str]:
    """Return the id and the body of an event that nothing but a test has caused."""
    facts = {"webhook": str(endpoint.pk), "message": "This is a test. Nothing has happened."}
    return uuid7(), _encoded(TEST_TYPE, rfc3339(timezone.now()), facts)


def payload(event: Event, caller: Caller) -> str:
    """Return what a receiver gets: what happened to what and by whom, and which fields changed; never their values.

    The values would leave the house for good: a receiver asks the API for them, which tells whoever may read them.
    Of fields that the caller may not know of it does not say that they changed.
    """
    facts = {
        "id": str(event.id),
        "subject": {"type": event.subject_type, "id": event.subject_id},
        "actor": str(event.actor) if event.actor else None,
        "changed": sorted(name for name in event.payload.get("after") or () if may_know(event, name, caller)),
    }
    return _encoded(event.type, rfc3339(event.occurred_at), facts)


def callers_of(owner_ids: Iterable[UUID]) -> dict[UUID, Caller]:
    """Return who of these people may sign in, as callers with what their roles permit at this moment."""
    people: Any = get_user_model()._default_manager.filter(pk__in=set(owner_ids), is_active=True).select_related()
    return {person.pk: Caller.of(person) for person in people}


def _encoded(type_: str, timestamp: str, facts: dict[str, Any]) -> str:
    return orjson.dumps({"type": type_, "timestamp": timestamp, "version": VERSION, "data": facts}).decode()
