"""A process whose PostgreSQL is gone: it says so everywhere, and what needs no database goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_ASK = """
import json, django
django.setup()
from django.test import Client
answers = {path: Client().get(path) for path in ("/health", "/health/live", "/health/ready", "/metrics", "/status")}
print(json.dumps({path: [answer.status_code, answer.content.decode()] for path, answer in answers.items()}))
"""


def without_database(*command: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "DATABASE_URL": "postgres://nook@127.0.0.1:1/nook",
        "METRICS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "NOOK_DATA_DIR": str(tmp_path),
    }
    command = (sys.executable, *command)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_health_tells_ready_refuses_and_the_rest_goes_on(tmp_path: Path) -> None:
    result = without_database("-c", _ASK, tmp_path=tmp_path)

    answers: dict[str, Any] = json.loads(result.stdout)
    assert {path: status for path, (status, _) in answers.items()} == {
        "/health": 503,
        "/health/live": 200,
        "/health/ready": 503,
        "/metrics": 200,
        "/status": 200,
    }
    assert json.loads(answers["/health"][1])["checks"] == {"database": False, "cache": True, "memory": True}
    assert json.loads(answers["/health/ready"][1])["checks"] == {"database": False, "migrations": False}
    assert "nook_database_up 0.0" in answers["/metrics"][1]
    assert "Something does not work at the moment." in answers["/status"][1]


def test_the_doctor_says_so_and_looks_at_what_is_left(tmp_path: Path) -> None:
    result = without_database("manage.py", "doctor", tmp_path=tmp_path)

    assert result.returncode == 1
    assert "BAD  database: does not answer: " in result.stdout
    assert "ok   state: " in result.stdout
    assert "Traceback" not in result.stderr
