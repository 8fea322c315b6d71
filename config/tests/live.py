"""A live process of its own for tests, on the test database, and a client that reads its stream."""

import http.client
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Self

from django.conf import settings
from django.db import connection

from core.embedded.program import status_of
from core.tests.ports import free_port

PATH = "/api/v1/events/stream"


class LiveProcess:
    """The ASGI server, started as `manage.py up` starts it."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "--interface", "asginl", "--port", str(self.port)),
                *("--log-level", "warning", "config.asgi:application"),
            ],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": _test_database_url(), "LIVE_MAX_STREAMS": "3"},
        )
        while status_of(("127.0.0.1", self.port), "/health/live") != 200:
            assert self._process.poll() is None
            time.sleep(0.1)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)


def _test_database_url() -> str:
    database = connection.settings_dict
    name = database["NAME"]
    return (
        f"postgres://{database['USER']}:{database['PASSWORD']}@/{name}?host={database['HOST']}&port={database['PORT']}"
    )


@dataclass
class Told:
    """One event as the client received it."""

    id: str = ""
    type: str = ""
    data: str = ""


@dataclass
class Stream:
    """An open stream; `next()` waits for the next event."""

    port: int
    token: str
    last_event_id: str = ""
    status: int = 0
    body: bytes = b""
    position: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {self.token}"}
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        self._connection.request("GET", PATH, headers=headers)
        self._response = self._connection.getresponse()
        self.status = self._response.status
        if self.status == 200:
            self.opening = self._frame()
        else:
            self.body = self._response.read()

    def next(self) -> Told | None:
        """Return the next event, None when the server closes."""
        while True:
            frame = self._frame()
            if frame is None:
                return None
            if "event" in frame:
                return Told(frame["id"], frame["event"], frame["data"])

    def rest(self) -> list[str]:
        """Return the types of what is told until the server closes."""
        types = []
        while (told := self.next()) is not None:
            types.append(told.type)
        return types

    def is_silent_for(self, seconds: float) -> bool:
        """Return whether no event comes for so long."""
        assert self._connection.sock is not None
        self._connection.sock.settimeout(seconds)
        try:
            return self.next() is None
        except TimeoutError:
            return True

    def _frame(self) -> dict[str, str] | None:
        lines: dict[str, str] = {}
        while True:
            line = self._response.readline().decode().rstrip("\n")
            if not line:
                break
            name, _, value = line.partition(": ")
            lines[name] = value
        if not lines:
            return None
        self.position = lines.get("id", self.position)
        return lines

    def close(self) -> None:
        self._response.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
