"""A newcomer's whole way through a running server, over real HTTP: from registering to deleting everything again.

What an operator runs after a deploy. It imports nothing of the product and asks only what the API promises, so it
says the same about every release that keeps the contract.
"""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Final
from urllib.parse import quote, urlsplit

import pyotp

TIMEOUT_SECONDS: Final = 15.0


class SmokeFailed(Exception):
    """A step did not answer as it should; the message says which and what came instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: Message
    body: dict[str, Any]

    @property
    def data(self) -> Any:
        return self.body.get("data")


@dataclass(frozen=True, slots=True)
class Server:
    """The server under test."""

    base_url: str

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        """Return the answer to one request; raises `SmokeFailed` when there is none."""
        sent = {"Accept": "application/json", "User-Agent": "nook-smoke", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        content = None
        if body is not None:
            content, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.base_url + path, content, sent, method=method)  # noqa: S310  # http(s)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # see base_url
                return Answer(answer.status, answer.headers, _parsed(answer.read()))
        except urllib.error.HTTPError as refusal:
            return Answer(refusal.code, refusal.headers, _parsed(refusal.read()))
        except OSError as error:
            raise SmokeFailed(f"{method} {path}: no answer: {error}") from error

    def expect(self, status: int, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Return the answer when it has this status; raises `SmokeFailed` with the answer otherwise."""
        answer = self.ask(method, path, body, **options)
        if answer.status != status:
            said = json.dumps(answer.body)[:500]
            raise SmokeFailed(f"{method} {path}: expected {status}, got {answer.status}: {said}")
        return answer


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


@dataclass(slots=True)
class Journey:
    """One person's visit. `admin_*` confirms the address (unless `read_token` finds the mail) and cleans up."""

    server: Server
    admin_email: str
    admin_password: str
    report: Callable[[str, float], None]
    read_token: Callable[[str], str] | None = None
    admin_totp_secret: str = ""
    email: str = field(default_factory=lambda: f"smoke-{secrets.token_hex(8)}@smoke.nook.example")
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def run(self) -> None:
        """Go the whole way; whatever happens, delete what was made."""
        with ExitStack() as cleanup:
            with self._step("health"):
                self.server.expect(200, "GET", "/health/ready")
            with self._step("sign in as administrator"):
                admin = self._sign_in(self.admin_email, self.admin_password, self.admin_totp_secret)["access_token"]
            cleanup.callback(self.server.ask, "POST", "/api/v1/auth/logout", token=admin)
            with self._step("register"):
                self._register()
            with self._step("find the account"):
                account = self._find(admin)
            cleanup.callback(self._delete_account, admin, account)
            with self._step("confirm the address"):
                self._confirm(admin, account)
            self._visit(cleanup, account)

    def _visit(self, cleanup: ExitStack, account: str) -> None:
        with self._step("sign in"):
            tokens = self._sign_in(self.email, self.password)
        with self._step("who am I"):
            me = self.server.expect(200, "GET", "/api/v1/users/me", token=tokens["access_token"])
            _hold(me.data["id"] == account, f"/users/me answers for {me.data['id']}, not for {account}")
        with self._step("refresh the tokens"):
            body = {"refresh_token": tokens["refresh_token"]}
            tokens = self.server.expect(200, "POST", "/api/v1/auth/refresh-token", body).data
        token = tokens["access_token"]
        with self._step("create a resource"):
            resource, etag = self._create(token)
        path = f"/api/v1/resources/{resource}"
        cleanup.callback(self.server.ask, "DELETE", f"{path}?permanent=true", token=token)
        self._work_on(path, etag, token)
        with self._step("sign out"):
            self._sign_out(token)

    def _work_on(self, path: str, etag: str, token: str) -> None:
        with self._step("read it"):
            unchanged = self.server.ask("GET", path, token=token, headers={"If-None-Match": etag})
            _hold(unchanged.status == 304, f"GET {path} with its ETag: expected 304, got {unchanged.status}")
        with self._step("list and filter"):
            listed = self.server.expect(200, "GET", "/api/v1/resources?owner=me&per_page=1", token=token)
            _hold(listed.body["meta"]["total"] == 1, f"expected one resource, got {listed.body['meta']}")
        with self._step("change it"):
            changed = self.server.expect(
                200, "PATCH", path, {"name": "Smoke, changed"}, token=token, headers={"If-Match": etag}
            )
            _hold(changed.data["version"] == 2, f"expected version 2, got {changed.data['version']}")
        with self._step("refuse a stale change"):
            self.server.expect(412, "PATCH", path, {"name": "Late"}, token=token, headers={"If-Match": etag})
        with self._step("delete it"):
            self.server.expect(204, "DELETE", path, token=token)
            self.server.expect(404, "GET", path, token=token)
        with self._step("restore it"):
            self.server.expect(200, "POST", f"{path}/restore", token=token)
        with self._step("destroy it"):
            self.server.expect(204, "DELETE", f"{path}?permanent=true", token=token)

    def _register(self) -> None:
        body = {"email": self.email, "password": self.password, "name": "Smoke Test"}
        self.server.expect(201, "POST", "/api/v1/auth/register", body)

    def _find(self, admin: str) -> str:
        found = self.server.expect(200, "GET", f"/api/v1/users?email={quote(self.email)}", token=admin)
        _hold(len(found.data) == 1, f"expected one account for {self.email}, got {len(found.data)}")
        return str(found.data[0]["id"])

    def _confirm(self, admin: str, account: str) -> None:
        if self.read_token is None:
            self.server.expect(200, "PATCH", f"/api/v1/users/{account}", {"email_verified": True}, token=admin)
            return
        self.server.expect(200, "POST", "/api/v1/auth/verify-email", {"token": self.read_token(self.email)})

    def _sign_in(self, email: str, password: str, totp_secret: str = "") -> dict[str, Any]:
        answer = self.server.expect(200, "POST", "/api/v1/auth/login", {"email": email, "password": password})
        if "mfa_token" in answer.data and totp_secret:
            proof = {"mfa_token": answer.data["mfa_token"], "method": "totp", "code": pyotp.TOTP(totp_secret).now()}
            answer = self.server.expect(200, "POST", "/api/v1/auth/mfa/verify", proof)
        _hold("access_token" in answer.data, f"{email} cannot sign in with a password alone: {sorted(answer.data)}")
        tokens: dict[str, Any] = answer.data
        return tokens

    def _create(self, token: str) -> tuple[str, str]:
        body = {"name": "Smoke", "data": {"made_by": "manage.py smoke"}, "tags": ["smoke"]}
        key = {"Idempotency-Key": secrets.token_hex(16)}
        created = self.server.expect(201, "POST", "/api/v1/resources", body, token=token, headers=key)
        again = self.server.expect(201, "POST", "/api/v1/resources", body, token=token, headers=key)
        _hold(again.data["id"] == created.data["id"], "the same Idempotency-Key made two resources")
        return str(created.data["id"]), str(created.headers["ETag"])

    def _sign_out(self, token: str) -> None:
        self.server.expect(204, "POST", "/api/v1/auth/logout", token=token)
        deadline = time.monotonic() + 3
        while self.server.ask("GET", "/api/v1/users/me", token=token).status != 401:
            _hold(time.monotonic() < deadline, "the access token still works 3 seconds after signing out")
            time.sleep(0.2)

    def _delete_account(self, admin: str, account: str) -> None:
        with self._step("delete the account"):
            self.server.expect(204, "DELETE", f"/api/v1/users/{account}", token=admin)

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except SmokeFailed as failure:
            raise SmokeFailed(f"{title}: {failure}") from failure
        self.report(title, time.monotonic() - started)


def _hold(condition: bool, otherwise: str) -> None:
    if not condition:
        raise SmokeFailed(otherwise)


def base_url_of(text: str) -> str:
    """Return the address without its trailing slash; raises `SmokeFailed` when it is none."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise SmokeFailed(f"--base-url must be like https://api.example.com, not {text!r}")
    return text.rstrip("/")
