"""Web processes of their own for tests, on the test database, as `manage.py up` starts them."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from core.embedded.program import status_of
from core.tests.ports import free_port


class WebProcess:
    """One WSGI server."""

    def __init__(self, **environment: str) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(self.port)),
                *("--blocking-threads", "2", "--no-ws", "--log-level", "warning", "config.wsgi:application"),
            ],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": _test_database_url(), "LOG_LEVEL": "WARNING", **environment},
        )
        while status_of(("127.0.0.1", self.port), "/health/live") != 200:
            assert self._process.poll() is None
            time.sleep(0.1)

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> int:
        """Send a request over a socket and return the status of the answer."""
        return self.call(method, path, body, headers)[0]

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send a request over a socket and return status and body of the answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            payload = None if body is None else json.dumps(body)
            client.request(method, path, payload, {"Content-Type": "application/json", **(headers or {})})
            response = client.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        finally:
            client.close()

    def stop(self) -> None:
        """End the server, if it has not ended yet."""
        self._process.terminate()
        self._process.wait(60)


def _test_database_url() -> str:
    database = connection.settings_dict
    who = f"{quote(database['USER'])}:{quote(database['PASSWORD'])}"
    return f"postgres://{who}@/{database['NAME']}?host={quote(database['HOST'])}&port={database['PORT']}"
