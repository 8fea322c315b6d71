"""What is wrong with the configuration is told in one line, with exit code 1, by every kind of process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.tests.sources import ROOT

NO_DATABASE = "postgres://nobody@127.0.0.1:1/nook"
DEVELOPMENT = {"DJANGO_SETTINGS_MODULE": "config.settings.development"}
PRODUCTION = {"DJANGO_SETTINGS_MODULE": "config.settings.production"}


def run(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "wrong", "line"),
    [
        (
            "migrate",
            {"DATABASE_URL": "mysql://localhost/nook"},
            "nook: DATABASE_URL must start with postgres:// or postgresql://.",
        ),
        (
            "migrate",
            {"DATABASE_URL": "postgres://localhost:abc/nook"},
            "nook: DATABASE_URL: the port is not a number.",
        ),
        (
            "relay",
            {"DATABASE_LOCK_TIMEOUT_MS": "soon"},
            "nook: DATABASE_LOCK_TIMEOUT_MS must be a whole number, not 'soon'.",
        ),
        ("up", {"NOOK_PORT": "99999"}, "nook: NOOK_PORT must be at most 65534, not 99999."),
        ("up", {"NOOK_DEMO": "perhaps"}, "nook: NOOK_DEMO must be true or false, not 'perhaps'."),
        (
            "up",
            {"NOOK_WEB_SERVER": "apache"},
            "nook: NOOK_WEB_SERVER must be one of granian, gunicorn, not 'apache'.",
        ),
        (
            "migrate",
            {"JWT_KEYS": "first:too-short"},
            "nook: JWT_KEYS: the entry 'first' is not id:secret with 32 bytes of base64 (`openssl rand -base64 32`).",
        ),
        (
            "migrate",
            {"OAUTH_PROVIDERS": "google", "OAUTH_REDIRECT_URIS": "https://app.example/callback"},
            "nook: OAUTH_GOOGLE_CLIENT_ID is missing, or holds more than ASCII.",
        ),
        (
            "check",
            {"NOOK_DATA_DIR": "/proc/nook"},
            "nook: cannot write to the data folder /proc/nook: set NOOK_DATA_DIR to another one.",
        ),
        (
            "check",
            {"SECRET_KEY_FILE": "/nowhere"},
            "nook: SECRET_KEY_FILE: cannot read /nowhere: No such file or directory.",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(command: str, wrong: dict[str, str], line: str, tmp_path: Path) -> None:
    answer = run("manage.py", command, environment={**DEVELOPMENT, "NOOK_DATA_DIR": str(tmp_path), **wrong})

    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", f"{line}\n")


@pytest.mark.parametrize("command", [("migrate",), ("audit_verify",), ("dlq", "list")], ids=" ".join)
def test_a_database_that_does_not_answer_is_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    environment = {**DEVELOPMENT, "NOOK_DATA_DIR": str(tmp_path), "DATABASE_URL": NO_DATABASE}

    answer = run("manage.py", *command, environment=environment)

    assert answer.returncode == 1
    assert answer.stderr.startswith("nook: the database of DATABASE_URL cannot be reached: ")
    assert answer.stderr.count("\n") == 1


def test_without_a_running_server_a_command_says_how_to_start_it(tmp_path: Path) -> None:
    answer = run("manage.py", "migrate", environment={**DEVELOPMENT, "NOOK_DATA_DIR": str(tmp_path)})

    assert answer.returncode == 1
    assert answer.stderr == (
        f"nook: the embedded PostgreSQL of {tmp_path} is not running: "
        "start it with `manage.py up`, or set DATABASE_URL.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("manage.py", "check"),
        ("-m", "celery", "--app", "config", "worker"),
        ("-c", "import config.wsgi"),
        ("-c", "import config.asgi"),
    ],
)
def test_production_without_its_secrets_starts_nothing(arguments: tuple[str, ...]) -> None:
    answer = run(*arguments, environment=PRODUCTION)

    assert answer.returncode != 0
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    assert "SECRET_KEY" in answer.stderr
