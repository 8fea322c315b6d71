"""Inbound webhooks as staff and developers have them: sources, replays, the command, the handler of the page."""

import hashlib
import hmac
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.test import Client

from core.models import Event
from notifications import inbound_handlers
from notifications.inbound_handlers import Inbound, handles_inbound
from notifications.models import InboundWebhook, Message, WebhookSource
from notifications.tests.twilio import SmsSink
from notifications.tests.webhook_steps import Drain

BrowserOf = Callable[[Any], Client]
Events = Callable[..., list[Event]]
SOURCES = "/admin/notifications/webhooksource/"
MESSAGES = "/admin/notifications/inboundwebhook/"
SECRET = "of-the-orders"
BODY = b'{"id": "evt_1", "type": "order.placed"}'
FORM = {
    "key": "orders",
    "name": "Orders",
    "scheme": "hmac",
    "is_active": "on",
    "new_secret": SECRET,
    "tolerance_seconds": "300",
}
HEARD: list[str] = []


@handles_inbound("tests.orders", source="orders", types=("order.placed",))
def _placed(message: Inbound) -> None:
    HEARD.append(message.event_id)


def tell(body: bytes = BODY, secret: str = SECRET, key: str = "orders") -> int:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Signature": signature}
    return Client().post(f"/api/v1/webhooks/in/{key}", body, "application/json", headers=headers).status_code


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("webhooks_replay", *arguments, stdout=out)
    return out.getvalue().strip()


def test_staff_register_a_program_and_its_secret_is_shown_nowhere(
    admin: Any, browser_of: BrowserOf, events: Events
) -> None:
    browser = browser_of(admin)

    answer = browser.post(f"{SOURCES}add/", FORM)

    assert answer.status_code == 302, answer.content.decode()[-2000:]
    assert tell() == 202
    row = WebhookSource.objects.get()
    pages = [browser.get(address).content.decode() for address in (SOURCES, f"{SOURCES}{row.pk}/change/")]
    (event,) = events("webhook_source.*")
    assert not any("of-the-orders" in text for text in (*pages, str(event.payload)))
    assert (event.type, event.actor) == ("webhook_source.created", admin.pk)


def test_a_new_secret_takes_the_old_one_s_place_or_stands_beside_it(admin: Any, browser_of: BrowserOf) -> None:
    browser = browser_of(admin)
    browser.post(f"{SOURCES}add/", FORM)
    change = f"{SOURCES}{WebhookSource.objects.get().pk}/change/"

    def save(**fields: str) -> None:
        answer = browser.post(change, {**FORM, "new_secret": "", **fields})
        assert answer.status_code == 302, answer.content.decode()[-2000:]

    save(name="Orders of the shop")
    assert tell(secret="of-the-orders") == 202
    save(new_secret="second", keep_old_secret="on")
    assert [tell(secret=secret) for secret in ("of-the-orders", "second")] == [202, 202]
    save()
    assert [tell(secret=secret) for secret in ("of-the-orders", "second")] == [401, 202]
    save(new_secret="third")
    assert [tell(secret=secret) for secret in ("second", "third")] == [401, 202]


@pytest.mark.parametrize(
    "wrong",
    [
        {"new_secret": ""},
        {"scheme": "standard", "new_secret": "not base64!"},
        {"scheme": "standard", "new_secret": "whsec_"},
        {"scheme": "sns", "new_secret": "arn:aws:sqs:eu-west-1:123456789012:bounces"},
        {"scheme": "postmark", "new_secret": "a password without a name"},
        {"scheme": "sendgrid", "new_secret": "bm8ga2V5"},
        {"scheme": "mailgun", "new_secret": ""},
        {"scheme": "twilio", "new_secret": ""},
        {"scheme": "md5"},
        {"key": "no key"},
        {"tolerance_seconds": "-1"},
    ],
    ids=str,
)
def test_a_source_that_cannot_work_is_not_registered(admin: Any, browser_of: BrowserOf, wrong: dict[str, str]) -> None:
    answer = browser_of(admin).post(f"{SOURCES}add/", {**FORM, **wrong})

    assert answer.status_code == 200
    assert not WebhookSource.objects.exists()


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        ("sns", "arn:aws:sns:eu-west-1:123456789012:bounces"),
        ("postmark", "nook:a-password"),
        (
            "sendgrid",
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceE"
            "u/1FwCM/QmGUhA==",
        ),
        ("mailgun", "a-key"),
        ("twilio", ""),
    ],
)
def test_providers_are_registered_by_what_they_show(
    scheme: str, secret: str, admin: Any, browser_of: BrowserOf, sms_sink: SmsSink
) -> None:
    answer = browser_of(admin).post(f"{SOURCES}add/", {**FORM, "scheme": scheme, "new_secret": secret})

    assert answer.status_code == 302, answer.content.decode()[-2000:]
    assert WebhookSource.objects.get().secret == secret


def test_nobody_but_administrators_registers_one(moderator: Any, browser_of: BrowserOf) -> None:
    assert browser_of(moderator).post(f"{SOURCES}add/", FORM).status_code == 403
    assert not WebhookSource.objects.exists()


def test_staff_have_a_message_worked_off_again(admin: Any, browser_of: BrowserOf, drain: Drain, events: Events) -> None:
    HEARD.clear()
    browser = browser_of(admin)
    browser.post(f"{SOURCES}add/", FORM)
    tell()
    drain()
    message = InboundWebhook.objects.get()

    page = browser.post(MESSAGES, {"action": "work_off_again", "_selected_action": [str(message.pk)]}, follow=True)
    drain()

    assert "1 messages are worked off again." in page.content.decode()
    assert HEARD == ["evt_1", "evt_1"]
    message.refresh_from_db()
    assert (message.state, message.turn) == ("handled", 2)
    assert [event.actor for event in events("webhook.replayed")] == [admin.pk]
    assert "order.placed" in browser.get(f"{MESSAGES}{message.pk}/change/").content.decode()


def test_the_command_says_first_and_then_does(drain: Drain) -> None:
    HEARD.clear()
    WebhookSource.objects.create(key="orders", name="Orders", scheme="hmac", secret="of-the-orders")
    tell()
    tell(b'{"id": "evt_2", "type": "order.placed"}')
    drain()
    InboundWebhook.objects.filter(event_id="evt_2").update(state="failed")

    assert run("--source", "orders", "--dry-run") == "Would work off 1 messages again."
    assert run("--source", "orders", "--since", "2999-01-01") == "0 messages are worked off again."
    assert run() == "1 messages are worked off again."
    drain()

    assert HEARD == ["evt_1", "evt_2", "evt_2"]
    with pytest.raises(CommandError, match="There is no source"):
        run("--source", "nobody")


def test_the_handler_of_the_page_does_what_it_says(owner: Any, drain: Drain) -> None:
    page = (Path(django_settings.BASE_DIR) / "docs" / "webhooks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(# shop/subscribers.py\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    WebhookSource.objects.create(key="payments", name="Payments", scheme="hmac", secret="of-the-orders")
    body = b'{"id": "evt_7", "type": "invoice.paid", "data": {"customer": "%s"}}' % owner.email.encode()

    exec(compile(code, "shop/subscribers.py", "exec"), {})  # noqa: S102  # the page's own code
    try:
        assert tell(body, key="payments") == tell(body, key="payments") == 202
        drain()
    finally:
        inbound_handlers._HANDLERS.pop("shop.paid")

    assert [message.kind for message in Message.objects.filter(recipient=owner)] == ["ops.alert"]


def test_another_scheme_needs_a_secret_that_is_one_for_it(admin: Any, browser_of: BrowserOf) -> None:
    source = WebhookSource.objects.create(key="orders", name="Orders", scheme="hmac", secret="of-the-orders")
    change = f"{SOURCES}{source.pk}/change/"

    answer = browser_of(admin).post(change, {**FORM, "new_secret": "", "scheme": "standard"})

    assert answer.status_code == 200
    source.refresh_from_db()
    assert source.scheme == "hmac"
