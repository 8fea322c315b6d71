"""The sign of life: while clock, relay and workers keep up, an address outside is asked each minute; else it is not."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone
from pytest_django import Settings

from core.models import DeadLetter, OutboxRow
from core.queue import enqueue
from notifications.tasks import beat_heart

TASK = "notifications.tasks.beat_heart"
pytestmark = pytest.mark.django_db


class Watch(ThreadingHTTPServer):
    """Somebody outside who counts how often they are asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.answer = 200
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Watch)
        self.server.heard.append(self.path)
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test says what was asked."""


@pytest.fixture
def watch(settings: Settings) -> Iterator[Watch]:
    server = Watch()
    settings.HEARTBEAT_URL = f"http://127.0.0.1:{server.server_port}/ping/0193"
    settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.0.1:{server.server_port}"]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def beat(drain: Callable[..., int]) -> None:
    enqueue(TASK)
    drain()


def test_the_watch_is_asked_while_work_is_done_in_time(watch: Watch, drain: Callable[..., int]) -> None:
    beat(drain)
    beat(drain)

    assert watch.heard == ["/ping/0193"] * 2


def test_it_is_silent_where_work_waits_for_long(watch: Watch, drain: Callable[..., int], settings: Settings) -> None:
    late = timezone.now() - timedelta(seconds=settings.ALERT_OUTBOX_LAG_SECONDS + 5)
    OutboxRow.objects.create(task="core.tasks.of_another_release", queue="default", kwargs={}, due_at=late)

    beat_heart()

    assert watch.heard == []


def test_a_watch_that_is_away_or_not_ours_to_reach_costs_no_dead_letter(
    watch: Watch, drain: Callable[..., int], settings: Settings
) -> None:
    watch.answer = 500
    beat(drain)
    settings.OUTBOUND_ALLOWED_HOSTS = []
    beat(drain)
    settings.HEARTBEAT_URL = ""
    beat(drain)

    assert (len(watch.heard), DeadLetter.objects.count(), OutboxRow.objects.count()) == (1, 0, 0)
