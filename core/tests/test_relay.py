import os
import signal
import threading
import time
from collections.abc import Iterator
from io import StringIO

import pytest
from celery import Celery
from django.core.management import call_command
from django.db import connection
from kombu.connection import Connection

from core import queue
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
