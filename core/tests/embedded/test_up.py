"""`manage.py up`: the newcomer's one command, as a newcomer runs it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from core import memory
from core.embedded.locations import Locations
from core.tests.embedded.running import (
    Up,
    embedded_environment,
    manage,
    process_numbers_of,
    processes_of,
    wait_until_gone,
)
from core.tests.ports import free_port


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture(scope="module")
def up(folder: Path) -> Iterator[Up]:
    running = Up(folder)
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0


def test_it_says_where_everything_is(up: Up) -> None:
    assert f"API       http://127.0.0.1:{up.port}/api/v1\r\n" in up.output
    assert f"Live      http://127.0.0.1:{up.port + 1}/api/v1/events/stream\r\n" in up.output
    assert f"Data      {up.folder}\r\n" in up.output


def test_the_first_start_prints_the_password_of_the_demo_admin(up: Up) -> None:
    password = re.search(r"Sign in   admin@example\.com  password: (\S+)  \(shown this once\)", up.output)

    assert password is not None
    assert sign_in(up.port, "admin@example.com", password[1]) == 200
    assert sign_in(up.port, "admin@example.com", "another-password") == 401


def sign_in(port: int, email: str, password: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/auth/login",
        json.dumps({"email": email, "password": password}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own address
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code


def test_commands_reach_the_running_database(up: Up) -> None:
    answer = manage("migrate", "--check", environment=embedded_environment(up.folder))

    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_database_has_a_quarter_of_the_memory_within_bounds(up: Up) -> None:
    total, _ = memory.limit_and_used()

    with psycopg.connect(Locations(up.folder).database_url) as connection:
        (pages,) = connection.execute(
            "SELECT setting::integer FROM pg_settings WHERE name = 'shared_buffers'"
        ).fetchone() or (0,)

    assert pages * 8192 // 2**20 == min(max(total // 4 // 2**20, 128), 2048)


def test_a_folder_in_use_is_refused(up: Up) -> None:
    answer = manage("up", "--port", str(free_port()), environment=embedded_environment(up.folder))

    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == (
        f"nook: {up.folder} is in use by another run (process {up.process.pid}): stop it, or give --data-dir.\n"
    )


def test_a_program_that_crashes_is_started_again(up: Up) -> None:
    (relay,) = process_numbers_of(up.folder, "manage.py relay")

    os.kill(relay, signal.SIGKILL)
    up.read_until("relay ended (signal SIGKILL); starting it again in 1 s.", seconds=60)

    deadline = time.monotonic() + 60
    while process_numbers_of(up.folder, "manage.py relay") in ([], [relay]) and time.monotonic() < deadline:
        up.read_until("", seconds=1)
        time.sleep(0.1)
    assert len(process_numbers_of(up.folder, "manage.py relay")) == 1


def test_a_port_that_is_taken_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        answer = manage("up", "--port", str(port), environment=embedded_environment(tmp_path / "data"))

    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == (
        f"nook: Cannot listen at 127.0.0.1 port {port} (Address already in use): give another --host or --port.\n"
    )
    assert not (tmp_path / "data" / "postgres").exists()


def press_ctrl_c(running: Up) -> None:
    running.press_ctrl_c()


def send_term(running: Up) -> None:
    running.process.send_signal(signal.SIGTERM)


def hang_up(running: Up) -> None:
    running.process.send_signal(signal.SIGHUP)


@pytest.fixture(scope="module")
def used_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that one test after the other starts from."""
    return tmp_path_factory.mktemp("again") / "data"


@pytest.mark.parametrize("stop", [press_ctrl_c, send_term, hang_up])
def test_it_stops_in_order_and_leaves_nothing(stop: Callable[[Up], None], used_folder: Path) -> None:
    running = Up(used_folder, environment={"NOOK_DEMO": "false"})

    stop(running)

    assert running.wait() == 0
    assert running.output.endswith("Stopped.\r\n")
    assert processes_of(used_folder) == []
    assert not (used_folder / "postgres" / "postmaster.pid").exists()


def test_a_killed_one_leaves_nothing_and_starts_again(used_folder: Path) -> None:
    running = Up(used_folder, environment={"NOOK_DEMO": "false"})

    running.kill()

    assert wait_until_gone(used_folder) == []
    again = Up(used_folder, environment={"NOOK_DEMO": "false"})
    send_term(again)
    assert again.wait() == 0


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    """The name of a user without any right, who can run what root can run here."""
    if os.geteuid() != 0:
        pytest.skip("Only root can become somebody else; all the other tests ran as a normal user.")
    if not python_runs_for("nobody"):
        pytest.skip("This Python is installed where only root can read it.")
    return "nobody"


def python_runs_for(user: str) -> bool:
    try:
        subprocess.run([sys.executable, "-c", "import redis"], user=user, cwd="/", capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def test_a_normal_user_needs_nothing_more(nobody: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        shutil.chown(home, nobody)
        running = Up(Path(home) / "data", environment={"NOOK_DEMO": "false"}, user=nobody)

        send_term(running)

        assert running.wait() == 0
        assert processes_of(running.folder) == []


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    running = Up(tmp_path / "data", announced="Preparing the database")

    press_ctrl_c(running)

    assert running.wait() == 0
    assert processes_of(running.folder) == []
