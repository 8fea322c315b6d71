"""Workers killed with -9 while they send webhooks: nothing is lost, and what comes twice has the same id."""

import time
from collections import Counter
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from kombu.connection import Connection
from pytest_django import Settings

from core import relay
from core.permissions import Caller
from core.queue import enqueue
from core.tests.processes import WorkerProcess
from core.tests.test_outages import eventually, in_background
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.services import webhooks
from notifications.tests.receiver import Receiver, Reply

pytestmark = [pytest.mark.drill, pytest.mark.django_db(transaction=True)]

MESSAGES = 300


def test_killed_workers_lose_nothing_and_double_nothing_under_another_id(
    owner: Any, broker: Connection, receiver: Receiver, settings: Settings
) -> None:
    settings.OUTBOX_LEASE_SECONDS = settings.OUTBOX_RESEND_SECONDS = 1.0
    # A receiver that says yes, and takes its time: many are killed between its yes and our note.
    receiver.always = Reply(pause=0.05)
    actor = Caller.of(owner)
    endpoints = [
        webhooks.create_endpoint(actor=actor, url=f"{receiver.url}/{number}", events=["threat.*"]).row
        for number in range(6)
    ]
    WebhookEndpoint.objects.update(last_success_at=timezone.now())
    for number in range(MESSAGES):
        webhooks.send_test(actor=actor, endpoint_id=endpoints[number % 6].pk)
    environment = {"WEBHOOK_ALLOWED_HOSTS": receiver.place, "WEBHOOK_TIMEOUT_SECONDS": "1"}
    process, working, kills = relay.Relay(), WorkerProcess(**environment), 0
    try:
        with in_background(process.run, process.stop):
            for part in range(40, MESSAGES, 40):
                eventually(lambda: len(receiver.messages) >= part or not waiting(), within=60)  # noqa: B023  # at once
                if working.kill_child():
                    kills += 1
                sweep()
            eventually(lambda: not waiting(nudge=True), within=90)
    finally:
        working.stop()

    ids = Counter(message.headers["webhook-id"] for message in receiver.messages)
    assert kills >= 3
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert ids.keys() == {delivery.webhook_id for delivery in WebhookDelivery.objects.all()}
    assert len(ids) == MESSAGES
    bodies: dict[str, set[bytes]] = {}
    for message in receiver.messages:
        bodies.setdefault(message.headers["webhook-id"], set()).add(message.body)
    assert {len(found) for found in bodies.values()} == {1}
    print(f"{kills} kills, {sum(ids.values()) - MESSAGES} came twice, under the same id")  # noqa: T201  # a drill tells


def waiting(*, nudge: bool = False) -> bool:
    if nudge:
        time.sleep(1)
        sweep()
    return WebhookDelivery.objects.exclude(state="delivered").exists()


def sweep() -> None:
    """Look for what is due, as the clock does each minute."""
    with transaction.atomic():
        enqueue("notifications.tasks.send_webhooks")
