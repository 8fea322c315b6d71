"""Moves due outbox rows to the broker, for ever: the only code that publishes to it.

A row is marked as sent before it is sent. A relay that dies in between, a broker that forgets, a
worker that is killed: in each case the row's `due_at` comes round again and the row is sent again.
No lock and no transaction is held while the broker is talked to, so a broker that hangs blocks the
relay alone.
"""

import logging
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from amqp.exceptions import AMQPError
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError
from kombu.messaging import Producer
from redis.exceptions import RedisError

from core.models import OutboxRow

logger = logging.getLogger(__name__)

OUTAGES: Final = (DatabaseError, InterfaceError, OSError, KombuError, AMQPError, RedisError)
BATCH: Final = 200
DEAD: Final = "dead"
"""The queue (and exchange) to which RabbitMQ moves what it has delivered too often."""
DEAD_MESSAGES_KEPT: Final = timedelta(days=7)
CONFIRM_SECONDS: Final = 10
# A look is one step into an index. NOTIFY would wake the relay sooner, and make all writers commit one by
# one: it holds a lock of the whole server until the commit is on disk.
POLL_SECONDS: Final = 0.1
MOST_BATCHES: Final = 10
RECALL_SECONDS: Final = 1.0
PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 5.0)
LOST_FOR_CERTAIN: Final = timedelta(minutes=10)

# How long a message may be on its way, by how often it was sent: 5, 10, 20, 40, then 60 seconds.
_PATIENCE: Final = "%(resend_after)s * least(power(2, least(greatest(sends - 1, 0), 4)), 12)"

# What waits in a queue that is not empty is most likely waiting its turn: look again after as long as it
# has waited, at most a minute. In an empty queue it is lost. A row that a worker holds is due only when
# the worker is dead. RETURNING alone gives rows in any order; who became due first is sent first.
_CLAIM: Final = """
WITH due AS MATERIALIZED (
    SELECT id, due_at FROM outbox
    WHERE due_at <= statement_timestamp()
      AND (dispatched_at IS NULL OR leased_by IS NOT NULL OR queue <> ALL(%(busy)s)
           OR dispatched_at < clock_timestamp() - %(lost_for_certain)s)
    ORDER BY due_at, id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE outbox SET
        due_at = clock_timestamp() + %(resend_after)s * least(power(2, least(sends, 4)), 12),
        dispatched_at = clock_timestamp(),
        sends = sends + 1,
        leased_by = NULL
    FROM due WHERE outbox.id = due.id
    RETURNING outbox.id, task, queue, request_id, traceparent, due.due_at AS was_due_at
)
SELECT id, task, queue, request_id, traceparent FROM claimed ORDER BY was_due_at, id
"""

_LEAVE_WAITING: Final = """
UPDATE outbox SET due_at = clock_timestamp() + least(
    greatest(clock_timestamp() - dispatched_at, %(resend_after)s), interval '1 minute')
WHERE id IN (
    SELECT id FROM outbox
    WHERE due_at <= statement_timestamp() AND dispatched_at >= clock_timestamp() - %(lost_for_certain)s
      AND leased_by IS NULL AND queue = ANY(%(busy)s)
    ORDER BY due_at, id LIMIT 5000 FOR UPDATE SKIP LOCKED
)
"""

_PUT_OFF: Final = f"leased_by IS NULL AND due_at > dispatched_at + {_PATIENCE} + interval '1 second'"
_QUEUES_PUT_OFF: Final = f"SELECT DISTINCT queue FROM outbox WHERE {_PUT_OFF}"  # noqa: S608  # constants
_RECALL: Final = f"""
UPDATE outbox SET due_at = dispatched_at + {_PATIENCE} WHERE {_PUT_OFF} AND queue = ANY(%(empty)s)
"""  # noqa: S608  # put together from constants


@dataclass(frozen=True, slots=True)
class Parcel:
    """What the broker is given of an outbox row."""

    id: int
    task: str
    queue: str
    request_id: str
    traceparent: str


class Relay:
    """The process: looks ten times a second, outlives every outage of database and broker."""

    def __init__(self) -> None:
        self.sent = 0
        self._stopped = False
        self._failures = 0

    def stop(self) -> None:
        """Make `run` return after the batch at hand."""
        self._stopped = True

    def run(self) -> None:
        """Relay until `stop` is called."""
        while not self._stopped:
            try:
                with current_app.connection_for_write() as broker:
                    self._relay_while_it_works(broker)
            except OUTAGES as error:
                self._recover(error)
        connection.close()

    def _relay_while_it_works(self, broker: Connection) -> None:
        broker.connect()
        declare_dead_queue(broker)
        recalled_at = time.monotonic()
        while not self._stopped:
            if time.monotonic() - recalled_at > RECALL_SECONDS:
                recall_lost_rows(broker)
                recalled_at = time.monotonic()
            sent = relay_due_rows(broker)
            self.sent += sent
            self._failures = 0
            if not sent:
                time.sleep(POLL_SECONDS)

    def _recover(self, error: Exception) -> None:
        self._failures += 1
        pause = PAUSES[min(self._failures, len(PAUSES)) - 1] * random.uniform(0.5, 1.0)  # noqa: S311  # jitter
        logger.warning("relay interrupted", extra={"error": str(error), "retry_in": round(pause, 2)})
        connection.close()
        until = time.monotonic() + pause
        while not self._stopped and time.monotonic() < until:
            time.sleep(0.05)


def relay_due_rows(broker: Connection) -> int:
    """Send what is due, some batches at most; return how many rows. Raises one of `OUTAGES`, with nothing lost."""
    if not _anything_due():
        return 0
    busy = _busy_queues(broker)
    if busy:
        _execute(_LEAVE_WAITING, busy=busy)
    sent = 0
    for _ in range(MOST_BATCHES):
        parcels = _claim(busy)
        _send(broker, parcels)
        sent += len(parcels)
        if len(parcels) < BATCH:
            break
    return sent


def recall_lost_rows(broker: Connection) -> None:
    """Stop waiting for what was put off because its queue was busy, once that queue is empty: it is lost."""
    put_off = [queue for (queue,) in _execute(_QUEUES_PUT_OFF)]
    empty = [queue for queue in put_off if not queue_depth(broker, queue)]
    if empty:
        _execute(_RECALL, empty=empty)


def queue_name(queue: str) -> str:
    """Return what one of our queues is called in the broker."""
    return f"{settings.QUEUE_PREFIX}{queue}"


def queue_depth(broker: Connection, queue: str) -> int:
    """Return how many messages wait in a queue of the broker; the queue is made when it is not there."""
    entity = current_app.amqp.queues[queue_name(queue)]
    with broker.channel() as channel:
        entity.declare(channel=channel)
        # Not passive: to Redis an empty queue is one that is not there.
        declared = channel.queue_declare(
            queue=entity.name, durable=True, auto_delete=False, arguments=entity.queue_arguments
        )
    return int(declared.message_count)


def declare_dead_queue(broker: Connection) -> None:
    """Give RabbitMQ a place for messages that it has delivered too often, for operators to look at.

    Nobody has to work it off: such a message is but the number of an outbox row, and the row is sent again.
    """
    if broker.transport.driver_type != "amqp":
        return
    name = queue_name(DEAD)
    queue = Queue(
        name,
        Exchange(name, type="direct", durable=True),
        routing_key=name,
        durable=True,
        queue_arguments={"x-queue-type": "quorum"},
        message_ttl=DEAD_MESSAGES_KEPT.total_seconds(),
    )
    with broker.channel() as channel:
        queue(channel).declare()


def _anything_due() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM outbox WHERE due_at <= statement_timestamp())")
        return bool(cursor.fetchone()[0])


def _busy_queues(broker: Connection) -> list[str]:
    waiting = (
        OutboxRow.objects.filter(dispatched_at__isnull=False, leased_by__isnull=True)
        .extra(where=["due_at <= statement_timestamp()"])
        .values_list("queue", flat=True)
        .distinct()
    )
    return [queue for queue in waiting if queue_depth(broker, queue)]


def _claim(busy: list[str]) -> list[Parcel]:
    return [Parcel(*row) for row in _execute(_CLAIM, busy=busy)]


def _execute(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    common: dict[str, Any] = {
        "resend_after": timedelta(seconds=settings.OUTBOX_RESEND_SECONDS),
        "lost_for_certain": LOST_FOR_CERTAIN,
        "batch": BATCH,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, common | parameters)
        return cursor.fetchall() if cursor.description else []


def _send(broker: Connection, parcels: list[Parcel]) -> None:
    unsent = [parcel.id for parcel in parcels]
    try:
        with broker.channel() as channel:
            producer = Producer(channel)
            for parcel in parcels:
                _publish(producer, parcel)
                unsent.remove(parcel.id)
    finally:
        if unsent:
            _take_back(unsent)


def _publish(producer: Producer, parcel: Parcel) -> None:
    current_app.send_task(
        "core.run",
        args=[parcel.id],
        queue=queue_name(parcel.queue),
        shadow=parcel.task,
        headers={"request_id": parcel.request_id, "traceparent": parcel.traceparent},
        producer=producer,
        retry=False,
        confirm_timeout=CONFIRM_SECONDS,
    )


def _take_back(ids: Iterable[int]) -> None:
    """Mark rows as not sent; those that were sent all the same run once, because a claim is needed to run."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox SET dispatched_at = NULL, due_at = clock_timestamp(), sends = sends - 1"
            " WHERE id = ANY(%s) AND leased_by IS NULL",
            [list(ids)],
        )
