"""What an endpoint was never sent, sent when staff say so."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from core.models import Event
from core.permissions import Caller
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.services import webhooks
from notifications.tests.receiver import Receiver
from notifications.tests.webhook_steps import ClientOf, Drain, in_threads, made, new_resource

BrowserOf = Callable[[Any], Client]
Events = Callable[..., list[Event]]
ENDPOINTS = "/admin/notifications/webhookendpoint/"


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("webhooks_redeliver", *arguments, stdout=out)
    return out.getvalue().splitlines()


def subjects(receiver: Receiver) -> list[str]:
    return [message.json["data"]["subject"]["id"] for message in receiver.messages]


@pytest.fixture
def hour_ago() -> str:
    return (timezone.now() - timedelta(hours=1)).isoformat()


def test_what_happened_before_there_was_a_webhook_is_sent_once(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver, events: Events, hour_ago: str
) -> None:
    earlier = [new_resource(client_of(owner)), new_resource(client_of(owner))]
    drain()
    endpoint = made(client_of(owner), receiver.url, "resource.created")
    chosen = ("--missed", "--endpoint", endpoint["id"], "--since", hour_ago)

    would = run(*chosen, "--dry-run")
    assert WebhookDelivery.objects.count() == 0
    did, again = run(*chosen), run(*chosen)
    drain()

    assert would == ["Would send 2 events that it was never sent."]
    assert did == ["Queued 2 events that it was never sent."]
    assert again == ["Queued 0 events that it was never sent."]
    assert sorted(subjects(receiver)) == sorted(earlier)
    assert [event.payload for event in events("webhook.redelivered")] == [{"deliveries": 2, "missed": True}]


def test_only_what_it_asks_for_and_its_owner_may_read_and_was_never_sent_goes_out(
    owner: Any, stranger: Any, client_of: ClientOf, drain: Drain, receiver: Receiver, hour_ago: str
) -> None:
    endpoint = made(client_of(owner), receiver.url, "resource.created")
    sent = new_resource(client_of(owner))
    drain()
    client_of(owner).patch(f"/api/v1/webhooks/{endpoint['id']}", {"active": False})
    missed = new_resource(client_of(owner))
    client_of(owner).patch(f"/api/v1/resources/{missed}", {"name": "April"})
    new_resource(client_of(stranger))
    drain()
    client_of(owner).patch(f"/api/v1/webhooks/{endpoint['id']}", {"active": True})

    did = run("--missed", "--endpoint", endpoint["id"], "--since", hour_ago)
    drain()

    assert did == ["Queued 1 events that it was never sent."]
    assert subjects(receiver) == [sent, missed]


def test_it_goes_by_batches_and_leaves_none_out(
    owner: Any, client_of: ClientOf, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.services.webhooks.missed.BATCH", 2)
    for _ in range(5):
        new_resource(client_of(owner))
    endpoint = WebhookEndpoint.objects.get(pk=made(client_of(owner), receiver.url, "resource.created")["id"])
    missed = webhooks.Missed(endpoint.pk, timezone.now() - timedelta(hours=1))

    assert missed.count() == 5
    assert list(missed.send(actor=Caller.of(owner))) == [2, 2, 1]
    assert endpoint.deliveries.count() == 5


@pytest.mark.django_db(transaction=True)
def test_four_who_send_the_same_at_once_send_it_once(owner: Any, client_of: ClientOf, receiver: Receiver) -> None:
    for _ in range(3):
        new_resource(client_of(owner))
    endpoint = made(client_of(owner), receiver.url, "resource.created")
    since = timezone.now() - timedelta(hours=1)

    counts = in_threads(4, lambda: sum(webhooks.Missed(endpoint["id"], since).send(actor=Caller.of(owner))))

    assert sorted(counts) == [0, 0, 0, 3]
    assert WebhookDelivery.objects.count() == 3


def test_a_webhook_that_is_off_or_whose_owner_is_out_is_sent_nothing(
    owner: Any, client_of: ClientOf, receiver: Receiver, hour_ago: str
) -> None:
    new_resource(client_of(owner))
    endpoint = made(client_of(owner), receiver.url, "resource.created")
    chosen = ("--missed", "--endpoint", endpoint["id"], "--since", hour_ago)

    type(owner).objects.filter(pk=owner.pk).update(is_active=False)
    assert run(*chosen) == ["Queued 0 events that it was never sent."]
    assert run(*chosen, "--dry-run") == ["Would send 0 events that it was never sent."]

    type(owner).objects.filter(pk=owner.pk).update(is_active=True)
    WebhookEndpoint.objects.update(is_active=False)
    with pytest.raises(CommandError, match="switched off"):
        run(*chosen)
    assert WebhookDelivery.objects.count() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--missed",), "--missed needs --endpoint and --since"),
        (("--missed", "--endpoint", str(uuid4())), "--missed needs --endpoint and --since"),
        (("--missed", "--endpoint", str(uuid4()), "--since", "2026-11-20"), "There is no webhook"),
    ],
)
def test_what_is_left_out_is_asked_for(db: None, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*arguments)


def test_staff_say_from_when_on_a_page(
    owner: Any, admin: Any, client_of: ClientOf, browser_of: BrowserOf, drain: Drain, receiver: Receiver
) -> None:
    earlier = new_resource(client_of(owner))
    endpoint = made(client_of(owner), receiver.url, "resource.created")
    chosen = {"action": "send_missed", "_selected_action": [endpoint["id"]]}

    asked = browser_of(admin).post(ENDPOINTS, chosen)
    assert "From when on" in asked.content.decode()
    assert WebhookDelivery.objects.count() == 0

    since = (timezone.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    answer = browser_of(admin).post(ENDPOINTS, {**chosen, "answered": "1", "since": since}, follow=True)
    drain()

    assert "1 events queued that it was never sent." in answer.content.decode()
    assert subjects(receiver) == [earlier]


def test_staff_who_may_not_decide_have_nothing_sent(
    owner: Any, moderator: Any, client_of: ClientOf, browser_of: BrowserOf, receiver: Receiver
) -> None:
    new_resource(client_of(owner))
    endpoint = made(client_of(owner), receiver.url, "resource.created")

    browser_of(moderator).post(
        ENDPOINTS,
        {"action": "send_missed", "_selected_action": [endpoint["id"]], "answered": "1", "since": "2026-01-01T00:00"},
    )

    assert WebhookDelivery.objects.count() == 0
