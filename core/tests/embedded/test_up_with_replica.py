"""`manage.py up` with a streaming replica beside its database: the whole way over HTTP."""

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.embedded.locations import Locations
from core.tests.embedded.running import Up, embedded_environment, manage
from core.tests.replication import make_replica


@pytest.fixture
def replica(tmp_path: Path) -> Locations:
    """Where the replica will be."""
    return Locations(tmp_path / "replica")


@pytest.fixture
def up(tmp_path: Path, replica: Locations) -> Iterator[Up]:
    # A busy machine's replica may be late, which is no fault.
    environment = {"DATABASE_REPLICA_URLS": replica.database_url, "DATABASE_REPLICA_WAIT_MS": "30000"}
    running = Up(tmp_path / "data", environment=environment)
    yield running
    running.press_ctrl_c()
    assert running.wait() == 0


def ask(up: Up, path: str, token: str = "", body: dict[str, Any] | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{up.port}{path}", content, headers)  # ours
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # as above
        return json.load(answer)["data"]


def answered(up: Up) -> float:
    """Return how many reads the replica has answered."""
    with urllib.request.urlopen(f"http://127.0.0.1:{up.port}/metrics", timeout=10) as answer:  # as above
        text = answer.read().decode()
    found = re.search(r'^nook_replica_reads_total\{outcome="answered",replica="replica_1"\} (\S+)', text, re.MULTILINE)
    return float(found[1]) if found else 0


def test_reads_go_to_a_replica_when_it_is_there_and_miss_nothing_that_was_written(up: Up, replica: Locations) -> None:
    password = re.search(r"password: (\S+)", up.output)
    assert password is not None
    sign_in = {"email": "admin@example.com", "password": password[1]}
    token = ask(up, "/api/v1/auth/login", body=sign_in)["access_token"]
    assert ask(up, "/api/v1/resources", token)
    assert answered(up) == 0

    server, _ = make_replica(Locations(up.folder), replica.data_dir)
    deadline = time.monotonic() + 60
    while answered(up) == 0:
        assert time.monotonic() < deadline, "the replica was never asked"
        assert ask(up, "/api/v1/resources", token)
    before = answered(up)
    for number in range(20):
        made = ask(up, "/api/v1/resources", token, {"name": f"Note {number}"})
        assert ask(up, f"/api/v1/resources/{made['id']}", token)["name"] == f"Note {number}"
        assert ask(up, "/api/v1/resources?fields=id&per_page=1", token) == [{"id": made["id"]}]
    doctor = manage(
        "doctor", environment=embedded_environment(up.folder, DATABASE_REPLICA_URLS=replica.database_url)
    ).stdout

    assert answered(up) > before
    assert "ok   replicas: 1 of 1 follow" in doctor

    server.stop()
    assert ask(up, "/api/v1/resources?fields=id&per_page=1", token) == [{"id": made["id"]}]
