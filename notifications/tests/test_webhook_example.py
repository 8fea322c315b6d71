"""The receiver of docs/webhooks.md, run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from pytest_django import Settings

from core.tests.ports import free_port
from notifications.tests.webhook_steps import ClientOf, Drain, later, made, new_resource

PROGRAM = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_receiver_of_the_page_prints_what_happened(
    owner: Any, client_of: ClientOf, drain: Drain, settings: Settings, tmp_path: Path
) -> None:
    page = (Path(django_settings.BASE_DIR) / "docs" / "webhooks.md").read_text(encoding="utf-8")
    found = PROGRAM.search(page)
    assert found is not None
    program, port = tmp_path / "receiver.py", free_port()
    program.write_text(found["code"], encoding="utf-8")
    settings.WEBHOOK_ALLOWED_HOSTS = [f"localhost:{port}"]
    client = client_of(owner)
    webhook = made(client, f"http://localhost:{port}/")
    environment = {**os.environ, "WEBHOOK_SECRET": webhook["secret"], "PORT": str(port)}

    command = [sys.executable, str(program)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as receiver:
        resource = new_resource(client)
        # The program may need a moment to start: what comes too early is tried again.
        for _ in range(9):
            later(drain)
        assert receiver.stdout is not None
        line = receiver.stdout.readline()
        receiver.kill()

    assert line.startswith("resource.created {")
    assert resource in line
