import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from celery import Celery
from django.db import connection
from kombu.connection import Connection
from pytest_django import Settings

from core import events as log
from core import queue, relay, worker
from core.models import Event, EventDelivery, OutboxRow, ScheduleRun
from core.permissions import SYSTEM
from core.schedules import Clock
from core.tests.spine import Drain, consume

WORKED: list[str] = []
TROUBLE: list[str] = []
ENOUGH = threading.Event()


@queue.task()
def work_for_long(**_unknown: object) -> None:
    WORKED.append("began")
    while not ENOUGH.is_set():
        time.sleep(1.5)


@queue.task()
def work(**_unknown: object) -> None:
    WORKED.append("worked")


@log.subscriber("half-way-listener", "outage.*")
def _write_and_stumble(event: Event) -> None:
    queue.enqueue(WORK)
    if TROUBLE:
        raise ValueError(TROUBLE.pop())


WORK = f"{__name__}.work"
WORK_FOR_LONG = f"{__name__}.work_for_long"


@pytest.fixture(autouse=True)
def _forget() -> None:
    WORKED.clear()
    TROUBLE.clear()
    ENOUGH.clear()


def eventually(condition: Callable[[], bool], *, within: float = 120) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


@contextmanager
def in_background(run: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    def run_and_close() -> None:
        run()
        connection.close()

    thread = threading.Thread(target=run_and_close)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()


def test_what_a_handler_wrote_goes_when_it_stumbles(db: None, drain: Drain) -> None:
    TROUBLE.append("a stone")
    log.publish("outage.begun", subject=None, actor=SYSTEM)

    assert drain() == 1
    assert WORKED == []
    assert not EventDelivery.objects.exists()
    assert OutboxRow.objects.get().attempts == 1

    OutboxRow.objects.update(due_at=OutboxRow.objects.get().created_at)
    assert drain() == 2
    assert WORKED == ["worked"]
    assert EventDelivery.objects.get().subscriber == "half-way-listener"


def test_a_worker_keeps_its_row_while_it_works(transactional_db: None, settings: Settings) -> None:
    settings.OUTBOX_LEASE_SECONDS = 2.0
    queue.enqueue(WORK_FOR_LONG)
    row = OutboxRow.objects.get()
    OutboxRow.objects.update(dispatched_at=row.created_at)

    with in_background(lambda: worker.run(row.id), ENOUGH.set):
        eventually(lambda: bool(WORKED))
        time.sleep(3)
        worker.run(row.id)
        # Should its worker be killed now, this is all that anybody will know.
        assert "in work_for_long\n    time.sleep(1.5)" in OutboxRow.objects.get().last_error

    assert WORKED == ["began"]
    assert not OutboxRow.objects.exists()


def test_a_row_whose_worker_died_is_taken_by_another(db: None, settings: Settings) -> None:
    queue.enqueue(WORK)
    row = OutboxRow.objects.get()
    OutboxRow.objects.update(dispatched_at=row.created_at, due_at=row.created_at, runs=1, leased_by=uuid4())

    worker.run(row.id)

    assert WORKED == ["worked"]
    assert not OutboxRow.objects.exists()


def test_the_relay_comes_back_when_the_broker_does(
    transactional_db: None, broker: Connection, celery_app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    process = relay.Relay()
    queue.enqueue(WORK)

    with in_background(process.run, process.stop):
        time.sleep(1)
        assert process.sent == 0
        assert OutboxRow.objects.get().sends == 0
        monkeypatch.delenv("CELERY_BROKER_URL")
        eventually(lambda: process.sent == 1)

    assert consume(broker, celery_app) == 1
    assert WORKED == ["worked"]


def test_relay_and_clock_come_back_when_the_database_does(
    transactional_db: None, broker: Connection, celery_app: Celery
) -> None:
    process, clock = relay.Relay(), Clock()

    with in_background(process.run, process.stop), in_background(clock.run, clock.stop):
        eventually(ScheduleRun.objects.exists)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchone()[0] >= 2
        ScheduleRun.objects.all().delete()
        queue.enqueue(WORK)
        eventually(ScheduleRun.objects.exists)
        eventually(lambda: process.sent == 1)

    assert consume(broker, celery_app) == 1
    assert WORKED == ["worked"]
