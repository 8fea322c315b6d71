"""`/webhooks/in/{source}`: who proves where they are from is heard once; everybody else changes nothing."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook

from core.models import DeadLetter, Event, OutboxRow
from core.tests.timing import quickest
from notifications.inbound_handlers import Inbound, handles_inbound
from notifications.models import InboundHandling, InboundWebhook, WebhookSource
from notifications.services import inbound
from notifications.services.webhooks.signing import new_secret
from notifications.tests.webhook_steps import Drain, in_threads

PATH = "/api/v1/webhooks/in/shop"
SECRET = "of-the-shop"
BODY = b'{"id": "evt_1", "type": "invoice.paid",  "total": 12.50, "name": "\xc3\x9c"}'
HEARD: list[tuple[str, Inbound]] = []
TROUBLE: list[str] = []


@handles_inbound("tests.paid", source="shop", types=("invoice.*",))
def _paid(message: Inbound) -> None:
    HEARD.append(("paid", message))
    if TROUBLE:
        raise ValueError(TROUBLE.pop())


@handles_inbound("tests.everything", source="shop")
def _everything(message: Inbound) -> None:
    HEARD.append(("everything", message))


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    HEARD.clear()
    TROUBLE.clear()
    yield
    HEARD.clear()


def source(scheme: str, **fields: Any) -> WebhookSource:
    return WebhookSource.objects.create(**{"key": "shop", "name": "Shop", "scheme": scheme, "secret": SECRET, **fields})


def mac(content: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def stripe(body: bytes, *, at: int | None = None, secret: str = SECRET) -> dict[str, str]:
    at = int(time.time()) if at is None else at
    return {"Stripe-Signature": f"t={at},v1={'0' * 64},v1={mac(f'{at}.'.encode() + body, secret)},v0=legacy"}


def github(body: bytes, delivery: str = "72d3162e", secret: str = SECRET) -> dict[str, str]:
    signature = f"sha256={mac(body, secret)}"
    return {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": delivery, "X-GitHub-Event": "push"}


def standard(body: bytes, secret: str, *, at: datetime | None = None, id: str = "msg_1") -> dict[str, str]:
    at = at or datetime.now(UTC)
    signature = Webhook(secret).sign(id, at, body.decode())
    return {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": f"v1,x {signature}"}


def tell(body: bytes, headers: dict[str, str], content_type: str = "application/json") -> Any:
    return Client().post(PATH, body, content_type, headers=headers)


def stored() -> list[tuple[str, str, bytes]]:
    return [(row.event_id, row.type, row.body) for row in InboundWebhook.objects.order_by("created_at")]


@pytest.mark.parametrize(
    ("scheme", "headers", "event_id", "type_"),
    [
        ("stripe", lambda: stripe(BODY), "evt_1", "invoice.paid"),
        ("github", lambda: github(BODY), "72d3162e", "push"),
        ("hmac", lambda: {"X-Signature": mac(BODY)}, "evt_1", "invoice.paid"),
        ("hmac", lambda: {"X-Signature": f"sha256={mac(BODY)}"}, "evt_1", "invoice.paid"),
        (
            "hmac",
            lambda: {"X-Signature": base64.b64encode(bytes.fromhex(mac(BODY))).decode()},
            "evt_1",
            "invoice.paid",
        ),
    ],
    ids=["stripe", "github", "hex", "prefixed", "base64"],
)
@pytest.mark.django_db
def test_a_signed_message_is_stored_as_it_came_and_worked_off_once(
    scheme: str, headers: Callable[[], dict[str, str]], event_id: str, type_: str, drain: Drain
) -> None:
    source(scheme)

    first = tell(BODY, headers())
    again = tell(BODY, headers())
    drain()

    row = InboundWebhook.objects.get()
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["data"] == {"id": str(row.pk), "event_id": event_id, "duplicate": False}
    assert again.json()["data"] == {"id": str(row.pk), "event_id": event_id, "duplicate": True}
    assert stored() == [(event_id, type_, BODY)]
    expected = ["everything", "paid"] if type_ == "invoice.paid" else ["everything"]
    assert sorted(name for name, _ in HEARD) == expected
    assert HEARD[0][1].json()["name"] == "Ü"
    row.refresh_from_db()
    assert (row.state, row.handlings.count()) == ("handled", len(expected))
    assert Event.objects.filter(type="webhook.received").count() == 1


@pytest.mark.django_db
def test_standard_webhooks_are_read_as_the_public_package_writes_them(drain: Drain) -> None:
    secret = new_secret()
    source("standard", secret=secret)

    assert tell(BODY, standard(BODY, secret)).status_code == 202
    assert tell(BODY, standard(BODY, secret, id="msg_2")).status_code == 202
    assert [event_id for event_id, _, _ in stored()] == ["msg_1", "msg_2"]


FAR = 301
REFUSED: dict[str, tuple[str, Callable[[], dict[str, str]]]] = {
    "nothing": ("stripe", dict),
    "another secret": ("stripe", lambda: stripe(BODY, secret="of-another")),
    "another body": ("stripe", lambda: stripe(BODY + b" ")),
    "too old": ("stripe", lambda: stripe(BODY, at=int(time.time()) - FAR)),
    "too new": ("stripe", lambda: stripe(BODY, at=int(time.time()) + FAR)),
    "no time": ("stripe", lambda: {"Stripe-Signature": f"v1={mac(b'.' + BODY)}"}),
    "a time of letters": ("stripe", lambda: {"Stripe-Signature": f"t=now,v1={mac(b'now.' + BODY)}"}),
    "an endless time": ("stripe", lambda: {"Stripe-Signature": f"t={'9' * 5000},v1={mac(BODY)}"}),
    "digits of another script": ("stripe", lambda: {"Stripe-Signature": "t=\u0661\u0662,v1=x"}),
    "heaps of signatures": ("stripe", lambda: {"Stripe-Signature": "t=1," + "v1=0," * 5000}),
    "old github": ("github", lambda: {"X-Hub-Signature": f"sha1={mac(BODY)}"}),
    "github with another": ("github", lambda: github(BODY, secret="of-another")),
    "github without prefix": ("github", lambda: {"X-Hub-Signature-256": mac(BODY)}),
    "empty": ("hmac", lambda: {"X-Signature": ""}),
    "of the empty secret": ("hmac", lambda: {"X-Signature": mac(BODY, "")}),
    "letters beyond ASCII": ("hmac", lambda: {"X-Signature": "\u00fc" * 64}),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.django_db
def test_what_is_not_proved_is_401_and_leaves_no_trace(case: str) -> None:
    scheme, headers = REFUSED[case]
    source(scheme)
    before = Event.objects.count(), OutboxRow.objects.count()

    answer = tell(BODY, headers())

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (401, "INVALID_SIGNATURE")
    assert error["message"] == "The signature does not fit the message, or the message is too old."
    assert (stored(), (Event.objects.count(), OutboxRow.objects.count())) == ([], before)


@pytest.mark.django_db
def test_standard_webhooks_have_their_window_and_their_id_in_the_signature() -> None:
    secret = new_secret()
    source("standard", secret=secret)
    old = standard(BODY, secret, at=datetime.now(UTC) - timedelta(seconds=FAR))
    moved = {**standard(BODY, secret), "webhook-timestamp": str(int(time.time()) + 5)}
    renamed = {**standard(BODY, secret), "webhook-id": "msg_other"}
    nameless = {name: value for name, value in standard(BODY, secret).items() if name != "webhook-id"}

    assert {tell(BODY, headers).status_code for headers in (old, moved, renamed, nameless)} == {401}
    assert stored() == []


@pytest.mark.django_db
def test_unknown_sources_and_those_that_are_off_are_not_there() -> None:
    source("stripe", is_active=False)

    assert tell(BODY, stripe(BODY)).status_code == 404
    assert Client().post("/api/v1/webhooks/in/nobody", BODY, "application/json").status_code == 404
    assert Client().get(PATH).status_code == 405


@pytest.mark.django_db
def test_a_new_secret_may_leave_the_old_one_good_for_a_while() -> None:
    row = source("github", secret="the-new-one", old_secret=SECRET)

    assert tell(BODY, github(BODY, "a")).status_code == 202
    assert tell(BODY, github(BODY, "b", secret="the-new-one")).status_code == 202
    row.old_secret = None
    row.save(update_fields=["old_secret"])
    assert tell(BODY, github(BODY, "c")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff\xfe",
        b"null",
        b"[1]",
        b"[" * 50_000,
        b'{"id": 7}',
        b'{"id": {"a": 1}}',
        b'{"id": true}',
        b"a=b&c=d",
    ],
    ids=["empty", "binary", "null", "list", "deep", "number", "object", "boolean", "form"],
)
@pytest.mark.django_db
def test_a_body_may_be_anything(body: bytes) -> None:
    source("hmac")

    answers = [tell(body, {"X-Signature": mac(body)}, "application/x-unheard-of") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    ((event_id, type_, kept),) = stored()
    assert (type_, kept) == ("", body)
    assert event_id == ("7" if body == b'{"id": 7}' else f"sha256:{hashlib.sha256(body).hexdigest()}")


@pytest.mark.django_db
def test_a_body_that_is_too_large_is_refused_and_one_that_just_fits_is_quick(settings: Settings) -> None:
    source("hmac")
    fits, too_large = b"x" * settings.INBOUND_MAX_BYTES, b"x" * (settings.INBOUND_MAX_BYTES + 1)
    tell(BODY, {"X-Signature": mac(BODY)})

    answers: list[Any] = []
    took = quickest(lambda: answers.append(tell(fits, {"X-Signature": mac(fits)})), under=1)

    assert ({answer.status_code for answer in answers}, took < 1) == ({202}, True)
    assert tell(too_large, {"X-Signature": mac(too_large)}).status_code == 413
    assert len(stored()) == 2


@pytest.mark.parametrize("event_id", ["x" * 256, "a\nb", "\u00fc"])
@pytest.mark.django_db
def test_an_id_that_cannot_be_one_is_refused(event_id: str) -> None:
    source("hmac")
    body = json.dumps({"id": event_id}).encode()

    answer = tell(body, {"X-Signature": mac(body)})

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "event_id")
    assert stored() == []


@pytest.mark.django_db
def test_headers_may_be_the_source_s_own() -> None:
    source("hmac", signature_header="X-Shop-Mac", event_id_header="X-Shop-Event")

    answer = tell(BODY, {"X-Shop-Mac": mac(BODY), "X-Shop-Event": "event-9"})

    assert answer.json()["data"]["event_id"] == "event-9"


@pytest.mark.django_db
def test_what_is_stored_is_sealed() -> None:
    row = source("hmac")
    tell(BODY, {"X-Signature": mac(BODY)})

    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM inbound_webhooks UNION ALL SELECT secret FROM webhook_sources")
        sealed = str(cursor.fetchall())
    assert "invoice.paid" not in sealed
    assert row.secret not in sealed


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_have_one_effect(drain: Drain) -> None:
    source("stripe")
    headers = stripe(BODY)

    answers = in_threads(20, lambda: tell(BODY, headers))
    drain()

    assert {answer.status_code for answer in answers} == {202}
    assert sorted(answer.json()["data"]["duplicate"] for answer in answers) == [False] + [True] * 19
    assert Event.objects.filter(type="webhook.received").count() == 1
    assert sorted(name for name, _ in HEARD) == ["everything", "paid"]


@pytest.mark.django_db
def test_a_handler_that_stumbles_is_tried_again_and_the_other_is_not(drain: Drain) -> None:
    source("hmac")
    TROUBLE.append("not now")
    tell(BODY, {"X-Signature": mac(BODY)})

    drain()
    assert InboundWebhook.objects.get().state == "received"
    drain(ahead=timedelta(minutes=1))

    assert sorted(name for name, _ in HEARD) == ["everything", "paid", "paid"]
    assert InboundWebhook.objects.get().state == "handled"


@pytest.mark.django_db
def test_a_handler_that_always_fails_ends_among_the_dead_letters_and_can_be_asked_again(
    drain: Drain, admin: Any
) -> None:
    source("hmac")
    TROUBLE.extend(["never"] * 8)
    tell(BODY, {"X-Signature": mac(BODY)})

    drain(ahead=timedelta(days=2))

    row = InboundWebhook.objects.get()
    letter = DeadLetter.objects.get()
    assert (row.state, letter.task) == ("failed", "notifications.tasks.handle_inbound")
    assert list(InboundHandling.objects.filter(failed_at__isnull=False).values_list("handler", flat=True)) == [
        "tests.paid"
    ]
    HEARD.clear()
    assert inbound.handle(message_id=row.pk, handler="tests.paid", turn=1)
    row.refresh_from_db()
    assert (row.state, [name for name, _ in HEARD]) == ("handled", ["paid"])


@pytest.mark.django_db
def test_what_nobody_handles_is_told_apart(drain: Drain) -> None:
    source("hmac", key="quiet")
    Client().post("/api/v1/webhooks/in/quiet", BODY, "application/json", headers={"X-Signature": mac(BODY)})
    drain()

    assert (InboundWebhook.objects.get().state, HEARD) == ("unclaimed", [])


@pytest.mark.django_db
def test_it_is_kept_for_a_while(settings: Settings) -> None:
    row = source("hmac")
    days = settings.INBOUND_RETENTION_DAYS
    ages = {"handled": days + 1, "unclaimed": days + 1, "failed": days + 1, "received": 2 * days + 1}
    for state, age in ages.items():
        message = InboundWebhook.objects.create(source=row, event_id=state, body=b"", size=0, state=state)
        InboundWebhook.objects.filter(pk=message.pk).update(created_at=timezone.now() - timedelta(days=age))

    assert inbound.purge_inbound() == 3
    assert InboundWebhook.objects.get().event_id == "failed"
