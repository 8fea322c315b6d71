"""Fixtures of the spine: `drain` runs the background work that a test caused, `events` reads the log."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from datetime import timedelta
from typing import Final

import pytest
import pytest_django
from celery import Celery, current_app
from django.db import connection
from kombu.connection import Connection

from core import beside, relay
from core.models import Event, OutboxRow
from core.queue import QUEUES

Drain = Callable[..., int]
Events = Callable[..., list[Event]]


@pytest.fixture(scope="session")
def celery_app() -> Celery:
    """The configured Celery application with every app's tasks loaded."""
    current_app.loader.import_default_modules()
    return current_app._get_current_object()


@pytest.fixture(scope="session")
def broker(celery_app: Celery) -> Iterator[Connection]:
    """A connection to the real broker; this run's queues are removed at the end."""
    with celery_app.connection_for_write() as broker:
        relay.declare_dead_queue(broker)
        yield broker
        for queue in (*QUEUES, relay.DEAD):
            broker.default_channel.queue_delete(relay.queue_name(queue))


@pytest.fixture
def drain(db: None, broker: Connection, celery_app: Celery) -> Drain:
    """`drain()` sends what is in the outbox to the broker, takes it from there and runs it, until nothing is due.

    Returns how many tasks ran. `drain(ahead=timedelta(hours=1))` also runs
    what is due within that time, such as retries.
    """

    def drain(*, ahead: timedelta = timedelta(0)) -> int:
        hasten(ahead)
        ran = 0
        while relay.relay_due_rows(broker):
            ran += consume(broker, celery_app)
            hasten(ahead)
        return ran

    return drain


@pytest.fixture
def a_pool_child() -> Iterator[None]:
    """This process counts as a child of a worker's pool, which leaves behind what takes long."""
    beside.allow()
    yield
    beside.wait_for_all(seconds=60)
    beside._children.clear()
    threads = beside._threads(os.getpid())
    all_at_once = threading.Barrier(len(threads._threads) or 1)

    def close() -> None:
        all_at_once.wait(60)
        connection.close()

    wait([threads.submit(close) for _ in list(threads._threads)])


@pytest.fixture
def events(db: None) -> Events:
    """`events()` is the whole log, oldest first; `events("user.*")` only these types."""

    def events(*types: str) -> list[Event]:
        return list(Event.objects.of_type(*types).order_by("seq"))

    return events


def consume(broker: Connection, celery_app: Celery, *, seen: list[str] | None = None) -> int:
    """Take every message from the broker's queues and run it in this process; return how many tasks ran.

    `seen` gets every message as text, headers and all.
    """
    ran = 0
    with broker.channel() as channel:
        for name in QUEUES:
            queue = celery_app.amqp.queues[relay.queue_name(name)](channel)
            queue.declare()
            while message := queue.get(accept=["json"]):
                if seen is not None:
                    seen.append(f"{message.headers} {message.properties} {message.body!r}")
                (outbox_id,), kwargs, _ = message.decode()
                ran += OutboxRow.objects.filter(id=outbox_id).exists()
                celery_app.tasks[message.headers["task"]].apply([outbox_id], kwargs, throw=True)
                message.ack()
    return ran


HASTENED: Final = [
    "UPDATE outbox SET due_at = clock_timestamp() WHERE due_at <= clock_timestamp() + make_interval(secs => %s)"
]
"""What lets time pass; a floor that keeps moments of its own adds them."""


def hasten(ahead: timedelta) -> None:
    """Make rows that are due within `ahead` due now."""
    if ahead:
        with connection.cursor() as cursor:
            for statement in HASTENED:
                cursor.execute(statement, [ahead.total_seconds()])


def wipe_log() -> None:
    """Empty the append-only tables after a test that committed; only the tables' owner can."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'append_only_truncate'")
        tables = [table for (table,) in cursor.fetchall()]
        for switch in ("DISABLE", "ENABLE"):
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} {switch} TRIGGER append_only_truncate")
            if switch == "DISABLE":
                cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")


@pytest.fixture(autouse=True)
def _clean_log(request: pytest.FixtureRequest, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[None]:
    is_committing = commits(request)
    if is_committing:
        # What earlier tests rolled back has used up numbers all the same.
        request.getfixturevalue("transactional_db")
        with connection.cursor() as cursor:
            cursor.execute("ALTER SEQUENCE events_seq RESTART")
    yield
    if is_committing:
        with django_db_blocker.unblock():
            wipe_log()


def commits(request: pytest.FixtureRequest) -> bool:
    """Return whether the test commits what it writes, be it by a fixture or by its marker."""
    marker = request.node.get_closest_marker("django_db")
    by_marker = marker is not None and bool(marker.kwargs.get("transaction"))
    return by_marker or "transactional_db" in request.fixturenames
