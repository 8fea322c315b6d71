"""Programs beside ours hear of events by a topic exchange of the broker, by what they asked for."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from pytest_django import Settings

from core.announcing import body_of
from core.events import handle, publish
from core.models import Event, OutboxRow
from core.permissions import Caller
from core.tests.spine import Drain

pytestmark = pytest.mark.django_db

Bind = Callable[[str], Queue]


@pytest.fixture
def exchange(settings: Settings, broker: Connection) -> Iterator[Exchange]:
    """The exchange of this test, on the real broker."""
    settings.EVENT_EXCHANGE = f"nook.test.{uuid4()}"
    found = Exchange(settings.EVENT_EXCHANGE, type="topic", durable=True)
    yield found
    found(broker.default_channel).delete()


@pytest.fixture
def bind(exchange: Exchange, broker: Connection) -> Iterator[Bind]:
    """Bind a queue of another program."""
    queues: list[Queue] = []

    def bound(pattern: str) -> Queue:
        queue = Queue(f"other.{uuid4()}", exchange, routing_key=pattern)(broker.default_channel)
        queue.declare()
        queues.append(queue)
        return queue

    yield bound
    for queue in queues:
        queue.delete()


def built(type_: str = "shelf.built") -> Event:
    with transaction.atomic():
        return publish(type_, subject=None, actor=Caller(id=uuid4()), data={"after": {"colour": "red"}})


def heard(queue: Queue) -> list[Any]:
    """Take what waits in a queue."""
    found = []
    while (message := queue.get(no_ack=True)) is not None:
        found.append((message.properties["message_id"], message.delivery_info["routing_key"], message.payload))
    return found


@pytest.mark.usefixtures("exchange")
def test_each_program_hears_what_it_bound_to(bind: Bind, drain: Drain) -> None:
    shelves, everything, users = bind("shelf.#"), bind("#"), bind("user.*")
    event = built()
    event.refresh_from_db()

    drain()

    assert heard(shelves) == heard(everything) == [(str(event.id), "shelf.built", body_of(event))]
    assert heard(users) == []


@pytest.mark.usefixtures("exchange")
def test_a_message_carries_no_values(bind: Bind, drain: Drain) -> None:
    queue = bind("#")
    event = built()

    drain()

    ((_, _, body),) = heard(queue)
    assert sorted(body) == ["data", "timestamp", "type", "version"]
    assert body["data"] == {"id": str(event.id), "subject": {"type": "", "id": ""}, "actor": str(event.actor)}


@pytest.mark.usefixtures("exchange")
def test_an_event_that_is_delivered_again_is_announced_once(bind: Bind, drain: Drain) -> None:
    queue = bind("#")
    event = built()
    drain()

    assert handle(event_id=event.id, subscriber="core.exchange") is False

    assert len(heard(queue)) == 1


@pytest.mark.usefixtures("exchange")
def test_where_nobody_has_bound_nothing_fails(drain: Drain) -> None:
    built()

    assert drain() == 1

    assert not OutboxRow.objects.exists()


def test_without_an_exchange_nothing_is_queued() -> None:
    built()

    assert not OutboxRow.objects.exists()
