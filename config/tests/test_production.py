"""Production settings, as a process of their own: complete ones pass every check, others do not start."""

import os
import subprocess
import sys

import pytest

from config.strictness import weakness
from config.tests.sources import ROOT

EXAMPLE = ROOT / "deploy" / "production.env.example"


def production(**changes: str | None) -> dict[str, str]:
    """Return the example's environment with some settings changed or (None) taken out."""
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines) | {"PATH": os.environ["PATH"]}
    return {name: value for name, value in (given | changes).items() if value is not None}


def check(environment: dict[str, str], tmp_path: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    environment = environment | {"NOOK_DATA_DIR": str(tmp_path)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_the_complete_example_passes_every_check(tmp_path: object) -> None:
    result = check(production(), tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("System check identified no issues")


def test_everything_that_is_missing_or_weak_is_told_at_once_a_line_each(tmp_path: object) -> None:
    environment = production(
        SECRET_KEY="changeme",
        ENCRYPTION_KEYS=None,
        JWT_KEYS="1:" + "a" * 44,
        DATABASE_URL=None,
        ALLOWED_HOSTS="*",
        PUBLIC_URL="http://api.nook.example",
        TRUSTED_PROXY_COUNT=None,
        EMAIL_URL=None,
        METRICS_TOKEN="short",
    )

    result = check(environment, tmp_path)

    assert result.returncode == 1
    assert result.stdout == ""
    assert sorted(result.stderr.splitlines()) == [
        "nook: ALLOWED_HOSTS names every host (*): name the ones that are ours.",
        "nook: DATABASE_URL is missing: give postgres://user:password@host:5432/name.",
        "nook: EMAIL_URL is missing: name the mail server, smtp://user:password@host:587.",
        "nook: ENCRYPTION_KEYS is missing: make one with `1:$(openssl rand -base64 32)`.",
        "nook: JWT_KEYS repeats a few characters: make one with `1:$(openssl rand -base64 32)`.",
        "nook: METRICS_TOKEN is shorter than 32 bytes: make one with `openssl rand -hex 32`.",
        "nook: PUBLIC_URL must start with https://.",
        "nook: SECRET_KEY is shorter than 32 bytes: make one with `openssl rand -hex 32`.",
        "nook: TRUSTED_PROXY_COUNT is missing: say how many proxies stand in front, 0 if none.",
    ]


def test_what_starts_but_should_not_be_deployed_fails_the_check(tmp_path: object) -> None:
    result = check(production(BROKER_URL="amqp://guest:guest@rabbitmq:5672//", RATE_LIMIT_SCALE="100"), tmp_path)

    assert result.returncode == 1
    assert "(nook.E116) The broker's user is guest." in result.stderr
    assert "(nook.W118) Rate limits are multiplied by 100." in result.stderr


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("", "is shorter than 32 bytes"),
        ("short", "is shorter than 32 bytes"),
        ("ab" * 32, "repeats a few characters"),
        ("django-insecure-3f6b1f0e6d0c4f39a2f6c6b1c5d8e7f0", "is a known default"),
        ("please-change-me-3f6b1f0e6d0c4f39a2f6c6b1c5d8e7f0", "is a known default"),
        ("3f6b1f0e6d0c4f39a2f6c6b1c5d8e7f0a1b2c3d4e5f60718293a4b5c6d7e8f90", None),
    ],
)
def test_weak_secrets_are_told_from_good_ones(secret: str, fault: str | None) -> None:
    assert weakness(secret) == fault
