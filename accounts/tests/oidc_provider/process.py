"""Starting the provider, telling it what to do, and going to it as a browser would."""

import http.client
import json
import signal
import subprocess
import sys
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from accounts.tests.oidc_provider.server import CLIENT_ID, CLIENT_SECRET
from core.embedded.program import status_of
from core.tests.ports import free_port

ISSUERS = {"acme": "/oidc", "microsoft": "/microsoft/common/v2.0", "github": "/github"}


class ProviderProcess:
    """One provider; `settings()` are those that make it known to the server under test."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "accounts.tests.oidc_provider", str(self.port)],
            cwd=settings.BASE_DIR,
            stderr=subprocess.DEVNULL,
        )
        while status_of(("127.0.0.1", self.port), "/seen") != 200:
            assert self._process.poll() is None
            time.sleep(0.05)

    @property
    def base(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def providers(self) -> dict[str, dict[str, str]]:
        """Return the setting OAUTH_PROVIDERS that names each flavour."""
        common = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "name": ""}
        return {id: {**common, "issuer": f"{self.base}{path}"} for id, path in ISSUERS.items()}

    def behave(self, **behaviour: Any) -> None:
        """Replace what the provider does; what was seen is forgotten."""
        self._ask("POST", "/control", behaviour)

    def rotate(self) -> None:
        """Sign with a new key from now on."""
        self._ask("POST", "/rotate", {})

    def seen(self) -> list[str]:
        """Return which endpoints were asked, in order."""
        seen: list[str] = json.loads(self._ask("GET", "/seen").read())
        return seen

    def visit(self, authorization_url: str, person: str) -> dict[str, str]:
        """Go where the person is sent, sign in there, and return the parameters that they come back with."""
        parts = urlsplit(authorization_url)
        answer = self._ask("GET", f"{parts.path}?{parts.query}&login_hint={person}")
        assert answer.status == 302, answer.read()
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def _ask(self, method: str, path: str, body: Any = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.peek()
        return answer
