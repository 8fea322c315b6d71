"""No URL leads a webhook to an address that is not on the open internet: not by spelling, name, redirect or time."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from notifications.tests.addresses import urls
from notifications.tests.receiver import Receiver, Reply
from notifications.tests.webhook_steps import PATH, ClientOf, Drain, later, made, new_resource

STAGE = Path(__file__).with_name("address_stage.py")
IN_A_NAMESPACE = ["unshare", "--map-root-user", "--mount", "--net"]


@pytest.fixture
def listener() -> Iterator[tuple[int, Callable[[], int]]]:
    """A port that listens on every address of this machine, and how many connections came."""
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    server.setblocking(False)

    def connections() -> int:
        count = 0
        while True:
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    yield server.getsockname()[1], connections
    server.close()


def test_no_url_that_somebody_types_in_is_connected_to(
    owner: Any, client_of: ClientOf, drain: Drain, settings: Settings, listener: tuple[int, Callable[[], int]]
) -> None:
    settings.WEBHOOKS_PER_USER = settings.RATE_LIMIT_SCALE = 1000
    port, connections = listener
    client = client_of(owner)

    statuses = {url: client.post(PATH, {"url": url, "events": ["resource.*"]}).status_code for url in urls(port)}
    accepted = [url for url, status in statuses.items() if status == 201]
    new_resource(client)
    for _ in range(2):
        later(drain)

    assert len(statuses) >= 300
    assert set(statuses.values()) == {201, 400}
    # What only a name server could tell was accepted, and refused when it came to sending.
    assert len(accepted) < 40
    assert WebhookDelivery.objects.count() == WebhookEndpoint.objects.count() == len(accepted)
    assert set(WebhookAttempt.objects.values_list("outcome", flat=True)) == {"unreachable"}
    assert connections() == 0


def test_a_redirect_to_an_address_of_ours_is_not_followed(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver, listener: tuple[int, Callable[[], int]]
) -> None:
    port, connections = listener
    client = client_of(owner)
    made(client, receiver.url)
    targets = [f"http://127.0.0.1:{port}/", f"http://[::1]:{port}/", "file:///etc/passwd", f"//127.1:{port}/"]
    codes = (301, 302, 303, 307, 308)
    receiver.replies.extend(Reply(code, headers=(("Location", target),)) for code in codes for target in targets)

    for _ in range(4):
        new_resource(client)
        for _ in range(6):
            later(drain)

    assert set(WebhookAttempt.objects.values_list("status", flat=True)) == {*codes, 204}
    assert connections() == 0


def test_a_dripping_receiver_is_cut_off_by_the_clock(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 0.6
    receiver.drips = True
    client = client_of(owner)
    made(client, receiver.url)
    new_resource(client)

    started = time.monotonic()
    drain()

    attempt = WebhookAttempt.objects.get()
    assert (attempt.outcome, attempt.answer) == ("unreachable", "The answer took too long.")
    assert time.monotonic() - started < 3
    assert attempt.milliseconds is not None
    assert 500 < attempt.milliseconds < 1500


def test_on_a_machine_that_has_every_private_address_none_is_reached_and_no_name_can_change_its_mind() -> None:
    if subprocess.run([*IN_A_NAMESPACE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives nobody a network namespace")
    environment = {**os.environ, "PYTHONPATH": str(django_settings.BASE_DIR)}

    ran = subprocess.run(
        [*IN_A_NAMESPACE, sys.executable, str(STAGE)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=django_settings.BASE_DIR,
        timeout=240,
    )

    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["tried"] >= 300
    assert (told["refused"], told["reached"]) == (told["tried"], [])
    # Public at the first question, private at the second: what was checked is what was connected to.
    assert told["rebinding"] == {"statuses": ["302", "AddressRefused"], "asked": 2, "reached": ["93.184.216.34"]}
