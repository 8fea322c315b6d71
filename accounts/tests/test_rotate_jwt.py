"""`manage.py rotate_keys --jwt` gives tokens a new signature and signs nobody out."""

import threading
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.signing_keys import active_key
from accounts.tests.answers import bearer
from accounts.tests.factories import PASSWORD, access_token_of, create_session, create_user
from accounts.tests.servers import WebProcess
from core.embedded.secrets import load_or_create

SECRET = "dGVz" * 10 + "dGU="
RING = f"test:{SECRET}"
ME = "/api/v1/users/me"
JWKS = "/.well-known/jwks.json"


def rotate(*arguments: str) -> tuple[str, str]:
    """Return what the command printed, and what it said beside that."""
    printed, said = StringIO(), StringIO()
    call_command("rotate_keys", "--jwt", *arguments, stdout=printed, stderr=said)
    return printed.getvalue().strip(), said.getvalue().strip()


def dated(kid: str, **ago: float) -> str:
    return f"{kid}@{datetime.now(UTC) - timedelta(**ago):%Y%m%dT%H%M%SZ}:{SECRET}"


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def published() -> list[str]:
    return [key["kid"] for key in Client().get(JWKS).json()["keys"]]


def test_the_new_key_is_known_first_and_signs_when_its_time_has_come(
    owner: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("JWT_KEYS", RING)
    session = create_session(owner)

    settings.JWT_KEYS, said = rotate("--lead-seconds", "1")
    before = access_token_of(session)
    time.sleep(1.1)
    after = access_token_of(session)

    assert settings.JWT_KEYS.endswith("," + RING)
    assert "still verifying: test. Give this as JWT_KEYS to every process, and start them anew before then." in said
    assert (kid_of(before), published()) == ("test", [kid_of(after), "test"])
    assert kid_of(after) != "test"
    for token in (before, after):
        assert Client().get(ME, headers=bearer(token)).status_code == 200


def test_the_old_key_retires_when_its_last_token_is_over(owner: User, settings: Settings) -> None:
    session = create_session(owner)
    old, unseen = access_token_of(session), access_token_of(session)

    settings.JWT_KEYS = f"{dated('new', seconds=settings.ACCESS_TOKEN_SECONDS + 30)},{RING}"
    assert published() == ["new", "test"]
    assert Client().get(ME, headers=bearer(old)).status_code == 200

    settings.JWT_KEYS = f"{dated('newer', seconds=settings.ACCESS_TOKEN_SECONDS + 61)},{RING}"
    assert published() == ["newer"]
    assert Client().get(ME, headers=bearer(access_token_of(session))).status_code == 200
    assert Client().get(ME, headers=bearer(unseen)).status_code == 401


def test_keys_without_a_moment_sign_by_their_place_and_never_retire(settings: Settings) -> None:
    settings.JWT_KEYS = f"second:{SECRET},{RING}"

    assert active_key().kid == "second"
    assert published() == ["second", "test"]


def test_a_rotation_drops_what_is_retired_and_keeps_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("JWT_KEYS", "given")
    settings.JWT_KEYS = f"{dated('c', minutes=1)},{dated('b', hours=1)},{RING}"

    printed, _ = rotate()
    fewer, _ = rotate("--keep", "1")

    assert [entry.partition("@")[0] for entry in printed.split(",")][1:] == ["c", "b"]
    assert [entry.partition("@")[0] for entry in fewer.split(",")][1:] == ["c"]


def test_a_dry_run_says_what_would_be_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    monkeypatch.delenv("JWT_KEYS", raising=False)
    settings.DATA_DIR = tmp_path
    before = load_or_create(tmp_path)

    printed, said = rotate("--dry-run")

    assert printed.startswith("A new key would sign from ")
    assert printed.endswith("still verifying: test.")
    assert said == ""
    assert load_or_create(tmp_path) == before


def test_a_second_rotation_waits_for_the_first(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("JWT_KEYS", RING)
    settings.JWT_KEYS, _ = rotate()

    with pytest.raises(CommandError, match=r"is to sign from \d\d:\d\d:\d\d UTC on; wait"):
        rotate()


def test_the_ring_of_a_data_folder_is_changed_in_place(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    monkeypatch.delenv("JWT_KEYS", raising=False)
    settings.DATA_DIR = tmp_path
    before = load_or_create(tmp_path)
    settings.JWT_KEYS = f"{before['JWT_KEYS']},older:{SECRET},oldest:{SECRET}"

    printed, _ = rotate("--lead-seconds", "0")

    after = load_or_create(tmp_path)
    new, *kept = after["JWT_KEYS"].split(",")
    assert kept == settings.JWT_KEYS.split(",")[:2]
    assert printed.startswith(f"The key {new.partition('@')[0]} signs from ")
    assert {name: after[name] for name in before if name != "JWT_KEYS"} == {
        name: before[name] for name in before if name != "JWT_KEYS"
    }


def test_a_moment_that_is_none_is_refused(settings: Settings) -> None:
    settings.JWT_KEYS = f"new@tomorrow:{SECRET}"

    with pytest.raises(ImproperlyConfigured, match="no moment such as"):
        active_key()


class Callers:
    """People who sign in, refresh and read without a pause, on whichever of the servers are up."""

    def __init__(self, servers: list[WebProcess], refresh_token: str) -> None:
        self.servers = servers
        self.answers: dict[int, int] = {}
        self.kids: set[str] = set()
        self._refresh_token = refresh_token
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Callers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(20)

    def replace(self, old: WebProcess, new: WebProcess) -> None:
        """Take the old server out, wait for what it has in hand, stop it."""
        with self._lock:
            self.servers[self.servers.index(old)] = new
        old.stop()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                for issuer in self.servers:
                    self._ask_everywhere(self._refreshed(issuer))
            time.sleep(0.05)

    def _refreshed(self, issuer: WebProcess) -> str:
        status, answer = issuer.call("POST", "/api/v1/auth/refresh-token", {"refresh_token": self._refresh_token})
        self.answers[status] = self.answers.get(status, 0) + 1
        self._refresh_token = answer["data"]["refresh_token"]
        return str(answer["data"]["access_token"])

    def _ask_everywhere(self, token: str) -> None:
        self.kids.add(kid_of(token))
        for server in self.servers:
            status = server.ask("GET", ME, headers=bearer(token))
            self.answers[status] = self.answers.get(status, 0) + 1


def test_two_servers_change_over_under_load_and_nobody_is_signed_out(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("JWT_KEYS", RING)
    quiet = {"RATE_LIMIT_SCALE": "1000"}
    began = time.monotonic()
    servers = [WebProcess(JWT_KEYS=RING, **quiet), WebProcess(JWT_KEYS=RING, **quiet)]
    # What a restart of both takes here and now, twice over.
    lead = 2 * round(time.monotonic() - began) + 3
    user = create_user()
    _, answer = servers[0].call("POST", "/api/v1/auth/login", {"email": user.email, "password": PASSWORD})
    started = list(servers)
    try:
        with Callers(servers, answer["data"]["refresh_token"]) as callers:
            ring, _ = rotate("--lead-seconds", str(lead))
            changes_over_at = time.monotonic() + lead
            for old in list(servers):
                new = WebProcess(JWT_KEYS=ring, **quiet)
                started.append(new)
                callers.replace(old, new)
            assert time.monotonic() < changes_over_at, "the restarts took longer than the lead"
            assert callers.kids == {"test"}
            time.sleep(max(0.0, changes_over_at - time.monotonic()) + 1.5)
        newest = ring.partition("@")[0]
        key_sets = [{key["kid"] for key in server.call("GET", JWKS)[1]["keys"]} for server in servers]
    finally:
        for server in started:
            server.stop()

    assert callers.kids == {"test", newest}
    assert key_sets == [{newest, "test"}] * 2
    assert callers.answers.keys() == {200}
    assert callers.answers[200] > 50
