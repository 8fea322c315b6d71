"""Webhooks as staff have them: pages, actions, the command, the numbers."""

import re
from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from prometheus_client import generate_latest

from core.gauges import GaugeCollector
from core.models import Event
from core.permissions import Caller
from core.personal_data import ERASERS, Erasure, personal_files
from notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from notifications.services import webhooks
from notifications.tests.receiver import Receiver, Reply
from notifications.tests.webhook_steps import ClientOf, Drain, made, new_resource

BrowserOf = Callable[[Any], Client]
Events = Callable[..., list[Event]]
ENDPOINTS = "/admin/notifications/webhookendpoint/"
DELIVERIES = "/admin/notifications/webhookdelivery/"


def endpoint_of(user: Any, url: str = "https://hooks.example.com/nook?key=hidden") -> WebhookEndpoint:
    return webhooks.create_endpoint(actor=Caller.of(user), url=url, events=["resource.*"]).row


def delivery_at(endpoint: WebhookEndpoint, state: str = "failed") -> WebhookDelivery:
    return WebhookDelivery.objects.create(
        endpoint=endpoint, event_id=uuid4(), event_type="resource.created", body='{"a": 1}', state=state
    )


def act(browser: Client, page: str, action: str, *rows: Any) -> str:
    chosen = [str(row.pk) for row in rows]
    answer = browser.post(page, {"action": action, "_selected_action": chosen}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("webhooks_redeliver", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_pages_show_no_secret(owner: Any, admin: Any, browser_of: BrowserOf) -> None:
    endpoint = endpoint_of(owner)
    delivery = delivery_at(endpoint)
    browser = browser_of(admin)

    pages = [
        browser.get(ENDPOINTS).content.decode(),
        browser.get(f"{ENDPOINTS}{endpoint.pk}/change/").content.decode(),
        browser.get(f"{DELIVERIES}{delivery.pk}/change/").content.decode(),
    ]

    assert all("https://hooks.example.com/nook" in page for page in pages[:2])
    assert not any(secret in page for page in pages for secret in (endpoint.secret, "key=hidden"))
    assert delivery.webhook_id in pages[2]


def test_staff_switch_off_and_on_and_each_is_told_apart(
    owner: Any, admin: Any, browser_of: BrowserOf, events: Events
) -> None:
    first, second = endpoint_of(owner), endpoint_of(owner)
    browser = browser_of(admin)

    off = act(browser, ENDPOINTS, "switch_off", first, second)
    again = act(browser, ENDPOINTS, "switch_off", first)
    on = act(browser, ENDPOINTS, "switch_on", first)

    assert "2 of 2 webhooks switched off." in off
    assert "0 of 1 webhooks switched off." in again
    assert "1 of 1 webhooks switched on." in on
    second.refresh_from_db()
    assert (second.is_active, second.disabled_reason) == (False, "switched off by staff")
    told = [(event.type, event.actor) for event in events("webhook.disabled", "webhook.updated")]
    assert told == [("webhook.disabled", admin.pk)] * 2 + [("webhook.updated", admin.pk)]


def test_a_new_secret_is_shown_once_and_the_old_one_can_be_ended(owner: Any, admin: Any, browser_of: BrowserOf) -> None:
    endpoint = endpoint_of(owner)
    browser = browser_of(admin)
    assert "Choose one webhook" in act(browser, ENDPOINTS, "new_secret", endpoint, endpoint_of(owner))

    page = act(browser, ENDPOINTS, "new_secret", endpoint)

    endpoint.refresh_from_db()
    (shown,) = set(re.findall(r"whsec_[\w+/=]+", page))
    assert shown == endpoint.secret
    assert shown not in browser.get(ENDPOINTS).content.decode()
    assert "1 old secrets ended." in act(browser, ENDPOINTS, "end_old_secret", endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.previous_secret, endpoint.previous_secret_until) == (None, None)


def test_a_moderator_opens_nothing_of_it(owner: Any, moderator: Any, browser_of: BrowserOf) -> None:
    endpoint = endpoint_of(owner)
    browser = browser_of(moderator)

    assert {browser.get(page).status_code for page in (ENDPOINTS, DELIVERIES)} == {403}
    assert browser.post(ENDPOINTS, {"action": "switch_off", "_selected_action": [str(endpoint.pk)]}).status_code == 403
    endpoint.refresh_from_db()
    assert endpoint.is_active


def test_staff_send_again_what_was_given_up(
    owner: Any, admin: Any, browser_of: BrowserOf, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    made(client_of(owner), receiver.url)
    new_resource(client_of(owner))
    drain()
    delivery = WebhookDelivery.objects.get()
    waiting = delivery_at(delivery.endpoint, "suppressed")

    page = act(browser_of(admin), DELIVERIES, "send_again", delivery, waiting)
    drain()

    assert "1 of 2 deliveries queued again." in page
    assert len(receiver.messages) == 2


def test_the_command_says_first_and_then_does(
    owner: Any, stranger: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    receiver.replies.extend([Reply(410)])
    endpoint = made(client_of(owner), receiver.url)
    new_resource(client_of(owner))
    drain()
    client_of(owner).patch(f"/api/v1/webhooks/{endpoint['id']}", {"active": True})
    delivery_at(endpoint_of(stranger), "delivered")
    since = WebhookDelivery.objects.get(state="failed").created_at.isoformat()

    would = run("--endpoint", endpoint["id"], "--since", since, "--dry-run")
    nobody = run("--since", "2999-01-01")
    did = run("--endpoint", endpoint["id"], "--since", since, "--state", "failed")
    drain()

    assert would == [f"{endpoint['id']}  {receiver.url}  1", "Would send 1 deliveries again."]
    assert (nobody, did) == (["Queued 0 deliveries again."], ["Queued 1 deliveries again."])
    assert len(receiver.messages) == 2
    assert run("--state", "delivered", "--dry-run")[-1] == "Would send 2 deliveries again."
    with pytest.raises(CommandError, match="There is no webhook"):
        run("--endpoint", str(uuid4()))


def test_the_numbers_tell_how_webhooks_fare(owner: Any) -> None:
    endpoint = endpoint_of(owner)
    for state in ("queued", "failed", "failed", "delivered"):
        delivery_at(endpoint, state)

    text = generate_latest(GaugeCollector()).decode()

    assert 'nook_webhooks_waiting{state="queued"} 1.0' in text
    assert 'nook_webhooks_done{state="failed"} 2.0' in text
    assert 'nook_webhook_endpoints{standing="working"} 1.0' in text
    assert re.search(r"nook_webhooks_lag_seconds \d", text)


def test_a_person_is_handed_their_webhooks_and_leaves_none_behind(owner: Any) -> None:
    endpoint = endpoint_of(owner)
    delivery_at(endpoint).attempts.create(number=1, outcome="refused", status=500)

    files = {file.name: list(file.rows or ()) for file in personal_files(owner.pk)}
    assert files["notifications/webhooks.json"][0]["url"] == endpoint.url
    assert files["notifications/webhook_deliveries.json"][0]["event_type"] == "resource.created"
    assert endpoint.secret not in str(files)

    ERASERS["notifications"].function(Erasure(owner.pk))

    assert [model.objects.count() for model in (WebhookEndpoint, WebhookDelivery, WebhookAttempt)] == [0, 0, 0]
