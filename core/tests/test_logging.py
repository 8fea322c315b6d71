"""Log lines: one JSON object each, in one form, without secrets; from requests, commands and workers alike."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.context import WorkContext, working
from core.crypto import random_token
from core.logging import LineHandler, PrettyFormatter, redact

ROOT = Path(__file__).resolve().parents[2]
logger = logging.getLogger("nook.test")


def logged(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capfd.readouterr().err.splitlines()[-1])
    return line


def test_a_line_has_the_form_of_the_contract(capfd: pytest.CaptureFixture[str]) -> None:
    with working(WorkContext(request_id="abc", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")):
        logger.warning("Disk is %s %% full", 91, extra={"disk": "/var", "tries": 3})

    line = logged(capfd)
    assert list(line) == ["timestamp", "level", "service", "trace_id", "message", "metadata"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["trace_id"], line["message"]) == ("warn", "a" * 32, "Disk is 91 % full")
    assert line["metadata"] == {"disk": "/var", "tries": 3, "logger": "nook.test", "request_id": "abc"}


@pytest.mark.parametrize(("level", "name"), [(20, "info"), (30, "warn"), (40, "error"), (50, "error")])
def test_levels_are_info_warn_and_error(capfd: pytest.CaptureFixture[str], level: int, name: str) -> None:
    logger.log(level, "text")

    assert logged(capfd)["level"] == name


def test_an_exception_is_one_line_with_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        int("postgres://nook:hunter2@db/nook")
    except ValueError:
        logger.exception("It broke")

    line = logged(capfd)
    assert line["metadata"]["exception"].startswith("Traceback (most recent call last)")
    assert "hunter2" not in json.dumps(line)


SECRET_NAMES = [
    "password",
    "new_password",
    "Authorization",
    "cookie",
    "set-cookie",
    "refresh_token",
    "client_secret",
    "api_key",
    "private_key",
    "ENCRYPTION_KEYS",
    "csrfmiddlewaretoken",
    "recovery_codes",
    "otp",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_values_with_a_secrets_name_are_taken_out(name: str) -> None:
    assert redact({"outer": [{name: "hunter2"}], "kept": 1}) == {"outer": [{name: "[redacted]"}], "kept": 1}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(random_token("nkr"), id="refresh token"),
        pytest.param(f"used {random_token('nk')} twice", id="access token"),
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "redis://user:hunter2@redis:6379/0",
        "Authorization: Bearer hunter2",
        "GET /verify-email?token=hunter2&next=/",
        "password=hunter2",
        "GET /files/hunter2:1tBzKp:c2lnbmF0dXJl 200",
    ],
)
def test_secrets_are_taken_out_of_texts_by_their_form(text: str) -> None:
    cleaned = redact(text)

    assert "[redacted]" in cleaned
    assert "hunter2" not in cleaned
    assert "eyJ" not in cleaned


DEEP = {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", DEEP, 2**70])
def test_whatever_is_logged_becomes_a_line(capfd: pytest.CaptureFixture[str], value: Any) -> None:
    logger.warning("odd", extra={"value": value})

    assert logged(capfd)["message"] in {"odd", "'odd'"}


def test_a_lone_surrogate_becomes_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    # Past pytest's own handlers: its report of this test would hold the surrogate and could not be sent to anyone.
    (handler,) = (one for one in logging.getLogger().handlers if isinstance(one, LineHandler))
    record = logger.makeRecord("", logging.WARNING, "", 1, "odd \ud800", (), None, extra={"value": "\udfff"})

    handler.handle(record)

    assert "ud800" in json.dumps(logged(capfd))


def test_a_line_break_in_a_message_cannot_forge_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    logger.warning('bad\n{"level":"error","message":"forged"}')

    assert len(capfd.readouterr().err.splitlines()) == 1


def test_at_a_terminal_a_line_is_for_a_person() -> None:
    record = logging.makeLogRecord({"name": "nook", "levelname": "INFO", "msg": "token=hunter2 used"})

    assert PrettyFormatter().format(record).endswith("INFO nook: token=[redacted] used")


def test_what_a_stranger_sends_does_not_steer_a_terminal() -> None:
    record = logging.makeLogRecord({"name": "nook", "levelname": "INFO", "msg": "GET /\x1b[2Jü\n200"})

    assert PrettyFormatter().format(record).endswith("nook: GET /\\x1b[2Jü\\n200")


def test_a_closed_stream_does_not_stop_the_work() -> None:
    code = "import os, logging\nfrom core.logging import write_line\nos.close(2)\nwrite_line(b'x')\nprint('goes on')"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert result.stdout == "goes on\n"


def test_commands_log_in_the_same_form() -> None:
    code = "import django; django.setup(); import logging; logging.getLogger('x').error('from a command')"
    environment = os.environ | {"SERVICE_NAME": "nook-beat"}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    line = json.loads(result.stderr.splitlines()[-1])
    assert (line["service"], line["level"], line["message"]) == ("nook-beat", "error", "from a command")


def test_celery_leaves_the_root_logger_alone() -> None:
    code = (
        "from config.celery import app; import logging; app.log.setup(loglevel='INFO')\n"
        "print([type(handler).__name__ for handler in logging.getLogger().handlers])\n"
        "logging.getLogger('celery.worker').error('from a worker')"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert result.stdout.splitlines()[-1] == f"['{LineHandler.__name__}']"
    assert json.loads(result.stderr.splitlines()[-1])["message"] == "from a worker"
