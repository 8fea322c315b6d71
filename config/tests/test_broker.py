"""Celery is told of the broker in kombu's spelling, whoever else wants to tell it."""

import os
import subprocess
import sys

import pytest

from config.broker import celery_url
from config.tests.sources import ROOT


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("redis://127.0.0.1:6379/2", "redis://127.0.0.1:6379/2"),
        ("amqp://nook:secret@rabbit:5672/nook", "amqp://nook:secret@rabbit:5672/nook"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock"),
        ("unix:///run/valkey.sock?db=3", "redis+socket:///run/valkey.sock?virtual_host=3"),
    ],
)
def test_a_socket_is_spelled_as_kombu_wants_it(given: str, told: str) -> None:
    assert celery_url(given) == told


def test_the_celery_command_does_not_take_its_broker_past_the_settings() -> None:
    environment = {"BROKER_URL": "unix:///run/valkey.sock", "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    report = subprocess.run(
        [sys.executable, "-m", "celery", "--app", "config", "report"],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "broker_url: 'redis+socket:///run/valkey.sock'\n" in report.stdout
