"""The pytest plugin of the ground floor: a Redis namespace for each test, and a Redis of one's own to break."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_django import Settings

from core.embedded.locations import Locations
from core.embedded.valkey import Valkey
from core.redis_link import CONNECT_TIMEOUT, READ_TIMEOUT


@pytest.fixture(autouse=True)
def _own_keys(settings: Settings) -> None:
    """Start every test with full buckets, an empty cache and closed breakers."""
    settings.REDIS_KEY_PREFIX = f"nook-test-{uuid4().hex}"


class OwnRedis:
    """A server that a test may hang, kill and start again."""

    def __init__(self, folder: Path) -> None:
        self._locations = Locations(folder)
        self._server = Valkey(self._locations, durable=False)
        self.url = self._locations.redis_url

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self.thaw()
        self._server.stop()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        process = self._server.process
        if process is not None and process.poll() is None:
            os.kill(process.pid, number)


@pytest.fixture
def own_redis(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnRedis]:
    """A running Redis of this test alone, already in the settings as cache and state, waited for as by default.

    Processes that the test starts wait for it as briefly.
    """
    monkeypatch.setenv("REDIS_TIMEOUT_SECONDS", str(READ_TIMEOUT))
    server = OwnRedis(tmp_path)
    server.start()
    settings.STATE_URL = settings.CACHE_URL = server.url
    default = settings.CACHES["default"]
    impatient = default["OPTIONS"] | {"SOCKET_CONNECT_TIMEOUT": CONNECT_TIMEOUT, "SOCKET_TIMEOUT": 0.5}
    settings.CACHES = {"default": default | {"LOCATION": server.url, "OPTIONS": impatient}}
    settings.REDIS_TIMEOUT_SECONDS = READ_TIMEOUT
    yield server
    server.stop()
