import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from celery import Celery
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from kombu.connection import Connection

from core import queue, relay
from core.models import OutboxRow
from core.tests.spine import consume

DONE: list[int] = []


@queue.task()
def do(*, number: int, **_unknown: object) -> None:
    DONE.append(number)


DO = f"{__name__}.do"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    DONE.clear()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_relay_sends_what_is_committed_and_stops_when_told(
    transactional_db: None, broker: Connection, celery_app: Celery
) -> None:
    queue.enqueue(DO, number=1)
    printed = StringIO()

    threading.Thread(target=_terminate_when_sent, daemon=True).start()
    call_command("relay", stdout=printed)

    assert printed.getvalue() == "Relay stopped; sent 1 messages.\n"
    assert consume(broker, celery_app) == 1
    assert DONE == [1]
    assert not OutboxRow.objects.exists()


def _terminate_when_sent() -> None:
    try:
        while OutboxRow.objects.filter(dispatched_at__isnull=True).exists():
            time.sleep(0.02)
    finally:
        connection.close()
        os.kill(os.getpid(), signal.SIGTERM)


def test_who_became_due_first_is_sent_first(db: None, broker: Connection, celery_app: Celery) -> None:
    queue.enqueue_many(DO, [{"number": number} for number in range(60)])
    with connection.cursor() as cursor:
        # The last one made has waited longest.
        cursor.execute("UPDATE outbox SET due_at = due_at - (kwargs->>'number')::integer * interval '1 second'")

    relay.relay_due_rows(broker)
    consume(broker, celery_app)

    assert list(reversed(range(60))) == DONE


def test_messages_that_a_wiped_broker_lost_are_sent_again(db: None, broker: Connection, celery_app: Celery) -> None:
    queue.enqueue_many(DO, [{"number": number} for number in range(3)])
    assert relay.relay_due_rows(broker) == 3
    wipe(broker)

    assert relay.relay_due_rows(broker) == 0
    wait_out_the_resend_time()
    assert relay.relay_due_rows(broker) == 3

    assert consume(broker, celery_app) == 3
    assert sorted(DONE) == [0, 1, 2]


def test_messages_that_wait_their_turn_are_left_alone(db: None, broker: Connection, celery_app: Celery) -> None:
    queue.enqueue(DO, number=1)
    assert relay.relay_due_rows(broker) == 1

    wait_out_the_resend_time()
    assert relay.relay_due_rows(broker) == 0
    assert relay.queue_depth(broker, "default") == 1

    wait_out_the_resend_time(relay.LOST_FOR_CERTAIN)
    assert relay.relay_due_rows(broker) == 1
    assert consume(broker, celery_app) == 1
    assert DONE == [1]


def test_what_was_put_off_is_sent_as_soon_as_its_queue_is_empty(
    db: None, broker: Connection, celery_app: Celery
) -> None:
    queue.enqueue(DO, number=1)
    relay.relay_due_rows(broker)
    wait_out_the_resend_time(timedelta(minutes=1))
    assert relay.relay_due_rows(broker) == 0
    relay.recall_lost_rows(broker)
    assert relay.relay_due_rows(broker) == 0

    wipe(broker)
    relay.recall_lost_rows(broker)
    assert relay.relay_due_rows(broker) == 1

    assert consume(broker, celery_app) == 1
    assert DONE == [1]


def test_a_row_that_a_dead_worker_holds_is_sent_again(db: None, broker: Connection, celery_app: Celery) -> None:
    queue.enqueue(DO, number=1)
    relay.relay_due_rows(broker)
    with broker.channel() as channel:
        celery_app.amqp.queues[relay.queue_name("default")](channel).get(no_ack=True)
    OutboxRow.objects.update(leased_by=uuid4(), runs=1)

    assert relay.relay_due_rows(broker) == 0
    wait_out_the_resend_time()
    assert relay.relay_due_rows(broker) == 1

    assert consume(broker, celery_app) == 1
    assert DONE == [1]


def test_what_was_sent_but_taken_for_unsent_runs_once(db: None, broker: Connection, celery_app: Celery) -> None:
    queue.enqueue(DO, number=1)
    relay.relay_due_rows(broker)
    OutboxRow.objects.update(dispatched_at=None, due_at=Now())

    assert relay.relay_due_rows(broker) == 1

    assert relay.queue_depth(broker, "default") == 2
    assert consume(broker, celery_app) == 1
    assert DONE == [1]


def test_a_broker_that_is_down_keeps_the_rows(db: None, celery_app: Celery) -> None:
    queue.enqueue(DO, number=1)
    with celery_app.connection_for_write("redis://127.0.0.1:1/0") as nowhere, pytest.raises(relay.OUTAGES):
        relay.relay_due_rows(nowhere)

    row = OutboxRow.objects.get()
    assert (row.dispatched_at, row.leased_by) == (None, None)
    assert DONE == []


def test_two_relays_send_each_row_once(transactional_db: None, broker: Connection, celery_app: Celery) -> None:
    queue.enqueue_many(DO, [{"number": number} for number in range(500)])
    sent: list[int] = []

    def relay_all() -> None:
        with celery_app.connection_for_write() as own_broker:
            sent.append(relay.relay_due_rows(own_broker))
        connection.close()

    relays = [threading.Thread(target=relay_all) for _ in range(2)]
    for each in relays:
        each.start()
    for each in relays:
        each.join()

    assert sum(sent) == 500
    assert consume(broker, celery_app) == 500
    assert sorted(DONE) == list(range(500))


def test_the_lag_is_what_waits_and_how_long(db: None, broker: Connection) -> None:
    assert queue.lag()["outbox_lag_seconds"] == 0
    queue.enqueue(DO, number=1)
    queue.enqueue(DO, delay=timedelta(hours=1), number=2)
    OutboxRow.objects.filter(kwargs__number=1).update(due_at=Now() - timedelta(seconds=90))

    lag = queue.lag()

    assert 90 <= lag.pop("outbox_lag_seconds") < 100
    assert lag == {
        "outbox_rows": 2,
        "outbox_running": 0,
        "queue_depth": dict.fromkeys(queue.QUEUES, 0) | {"default": 2},
        "dead_letters": 0,
    }


def test_a_message_that_rabbitmq_gives_up_is_kept_for_operators_and_its_row_is_sent_again(
    db: None, broker: Connection, celery_app: Celery
) -> None:
    if broker.transport.driver_type != "amqp":
        pytest.skip("only RabbitMQ counts deliveries")
    queue.enqueue(DO, number=1)
    relay.relay_due_rows(broker)
    with broker.channel() as channel:
        while message := celery_app.amqp.queues[relay.queue_name("default")](channel).get():
            message.requeue()
        while not channel.queue_declare(relay.queue_name(relay.DEAD), passive=True).message_count:
            time.sleep(0.05)

    wait_out_the_resend_time()
    assert relay.relay_due_rows(broker) == 1

    assert consume(broker, celery_app) == 1
    assert DONE == [1]


def wipe(broker: Connection) -> None:
    """Be a broker whose disk was lost: no queue, no message."""
    for name in queue.QUEUES:
        with broker.channel() as channel:
            channel.queue_delete(relay.queue_name(name))


def wait_out_the_resend_time(waited: timedelta = timedelta(seconds=30)) -> None:
    OutboxRow.objects.update(due_at=Now() - timedelta(seconds=1), dispatched_at=F("dispatched_at") - waited)
