"""What the provider of text messages tells over `/webhooks/in/sms`: states move forward, numbers are listed."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from core.models import Event
from core.permissions import SYSTEM
from core.personal_data import personal_files
from notifications import services
from notifications.channels import Outgoing
from notifications.channels.sms import send
from notifications.kinds import KINDS, Kind
from notifications.models import InboundWebhook, Message, MessageAttempt, SuppressedAddress, WebhookSource
from notifications.services import suppression
from notifications.services.inbound.proofs import Incoming
from notifications.services.inbound.provider_schemes import is_twilios
from notifications.tests.names import lead_here
from notifications.tests.twilio import TOKEN, SmsSink, refused

Drain = Callable[..., int]
Events = Callable[..., list[Event]]
NUMBER = "+436641234567"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _a_kind_that_may_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    news = Kind("tests.texted", "News", "tests", channels=("sms",), required=KINDS["account.phone_code"].required)
    monkeypatch.setitem(KINDS, news.code, news)


@pytest.fixture(autouse=True)
def _has_a_text(settings: Settings, tmp_path: Any) -> None:
    folder = tmp_path / "sms"
    folder.mkdir()
    (folder / "tests.texted.txt").write_text("{{ code }}\n")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [*settings.TEMPLATES[0]["DIRS"], tmp_path]}]


def signature(url: str, form: dict[str, str], token: str = TOKEN) -> str:
    """Sign as Twilio has published it: the address, then each field's name and value, sorted by the names."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def sent(drain: Drain, kind: str = "account.phone_code") -> Message:
    message = services.send(kind, address=NUMBER, context={"code": "909090"})
    drain()
    message.refresh_from_db()
    return message


def callback(message: Message) -> str:
    return f"https://nook.example/api/v1/webhooks/in/sms?message={message.pk}"


def tell(message: Message, status: str, *, token: str = TOKEN, signed_for: str = "", of: str = "", **more: str) -> Any:
    """Call back as the provider does, at the address that it was given with the text."""
    form = {"MessageSid": "SM1", "MessageStatus": status, "To": NUMBER, "From": "+15005550006", **more}
    url = of or callback(message)
    headers = {"X-Twilio-Signature": signature(signed_for or url, form, token)}
    parts = urlsplit(url)
    return Client().post(
        f"{parts.path}?{parts.query}", urlencode(form), "application/x-www-form-urlencoded", headers=headers
    )


def state_of(message: Message) -> str:
    message.refresh_from_db()
    return message.state


def listed() -> list[tuple[str, str, str]]:
    return list(SuppressedAddress.objects.order_by("created_at").values_list("address", "reason", "detail"))


def test_the_signature_is_the_one_that_twilio_has_published(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://mycompany.com"
    form = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    url = "https://mycompany.com/api/v1/webhooks/in/sms?foo=1&bar=2"
    ours = signature(url, dict(parse_qsl(form)), "12345")

    published = signature("https://mycompany.com/myapp.php?foo=1&bar=2", dict(parse_qsl(form)), "12345")
    assert published == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    source = WebhookSource(key="sms", scheme="twilio")
    incoming = Incoming({"x-twilio-signature": ours}, form.encode(), "foo=1&bar=2")
    assert is_twilios(source, "12345", incoming)
    assert not is_twilios(source, "12345", Incoming({"x-twilio-signature": ours}, form.encode(), "foo=1&bar=3"))


@pytest.mark.django_db
def test_a_text_that_arrived_is_delivered_and_nothing_later_undoes_it(
    drain: Drain, sms_sink: SmsSink, events: Events
) -> None:
    message = sent(drain)

    answers = [tell(message, status).status_code for status in ("queued", "sent", "delivered")]
    drain()
    late = [tell(message, status, MessageSid="SM2").status_code for status in ("sent", "failed", "queued")]
    drain()

    assert (answers, late, state_of(message)) == ([202] * 3, [202] * 3, "delivered")
    assert message.attempts.get().answer.endswith("; sms.delivered")
    (event,) = events("notification.delivered")
    assert (event.subject_id, event.payload["before"]) == (str(message.pk), {"state": "sent"})
    assert set(InboundWebhook.objects.values_list("state", flat=True)) == {"handled"}
    assert WebhookSource.objects.get().key == "sms"


@pytest.mark.parametrize(
    ("status", "code", "state", "expected"),
    [
        ("undelivered", "30005", "bounced", [(NUMBER, "bounce", "sms.undelivered: 30005")]),
        ("undelivered", "21614", "bounced", [(NUMBER, "bounce", "sms.undelivered: 21614")]),
        ("failed", "21610", "failed", [(NUMBER, "complaint", "sms.failed: 21610")]),
        ("undelivered", "30003", "bounced", []),
        ("failed", "30001", "failed", []),
    ],
)
@pytest.mark.django_db
def test_a_text_that_did_not_arrive_says_so_and_lists_a_number_that_is_no_good(
    drain: Drain, sms_sink: SmsSink, status: str, code: str, state: str, expected: list[Any]
) -> None:
    message = sent(drain)
    for _ in range(2):
        assert tell(message, status, ErrorCode=code).status_code == 202
    drain()

    assert (state_of(message), listed()) == (state, expected)
    assert message.attempts.get().answer.endswith(f"; sms.{status}: {code}")
    assert sent(drain, "tests.texted").state == ("suppressed" if expected else "sent")


@pytest.mark.django_db
def test_what_is_not_signed_for_this_address_moves_nothing(drain: Drain, sms_sink: SmsSink) -> None:
    message, other = sent(drain), sent(drain)

    answers = [
        tell(message, "delivered", token="of-another"),
        tell(message, "delivered", signed_for=callback(other)),
        Client().post(f"/api/v1/webhooks/in/sms?message={message.pk}", "MessageStatus=delivered", "text/plain"),
    ]
    drain()

    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (401, "INVALID_SIGNATURE")
    ] * 3
    assert (state_of(message), state_of(other)) == ("sent", "sent")
    assert (InboundWebhook.objects.count(), WebhookSource.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_an_unknown_text_is_taken_note_of_and_changes_nothing(drain: Drain, sms_sink: SmsSink) -> None:
    message = sent(drain)
    gone = Message(pk="01a1fbd6-3c11-7a04-8f7e-6d1b2f9a0c55")

    answer = tell(gone, "delivered")
    drain()

    assert (answer.status_code, state_of(message), listed()) == (202, "sent", [])


@pytest.mark.django_db
def test_a_text_whose_answer_was_lost_is_not_sent_twice(drain: Drain, sms_sink: SmsSink) -> None:
    sms_sink.answers.append(refused(500, 20500, "Internal Server Error"))
    message = sent(drain)
    assert message.state == "queued"

    tell(message, "queued")
    drain()
    drain(ahead=DAY)

    assert (state_of(message), len(sms_sink.requests)) == ("sent", 1)
    assert message.sent_at is not None


@pytest.mark.parametrize("status", ["queued", "delivered", "failed"])
@pytest.mark.django_db
def test_what_is_told_of_a_text_of_before_it_was_sent_again_settles_nothing(
    status: str, drain: Drain, sms_sink: SmsSink
) -> None:
    message = sent(drain)
    tell(message, "undelivered", ErrorCode="30003")
    drain()
    assert state_of(message) == "bounced"

    services.resend(message_ids=[message.pk], actor=SYSTEM)
    tell(message, status, MessageSid="SM0")
    drain()
    assert (state_of(message), len(sms_sink.requests)) == ("sent", 2)
    tell(message, status, MessageSid="SM00")
    drain()
    assert state_of(message) == "sent"

    tell(message, "delivered", of=sms_sink.requests[-1]["StatusCallback"])
    drain()
    assert state_of(message) == "delivered"
    assert message.attempts.get(number=2).answer.endswith("; sms.delivered")


@pytest.mark.django_db
def test_what_is_told_again_long_afterwards_changes_nothing(drain: Drain, sms_sink: SmsSink, events: Events) -> None:
    message = sent(drain)
    MessageAttempt.objects.update(created_at=timezone.now() - timedelta(days=3, minutes=1))

    answer = tell(message, "undelivered", ErrorCode="30005")
    drain()

    assert (answer.status_code, state_of(message), listed()) == (202, "sent", [])
    assert events("notification.bounced") == []


@pytest.mark.django_db
def test_a_refusal_on_the_spot_lists_the_number_too(drain: Drain, sms_sink: SmsSink) -> None:
    sms_sink.answers.append(refused(400, 21610, "Attempt to send to unsubscribed recipient"))

    assert sent(drain, "tests.texted").state == "failed"
    assert listed() == [(NUMBER, "complaint", "400 21610 Attempt to send to unsubscribed recipient")]
    assert sent(drain, "tests.texted").state == "suppressed"
    assert sent(drain).state == "sent"


@pytest.mark.django_db
def test_whoever_proves_their_number_is_sent_texts_again(owner: Any, drain: Drain) -> None:
    type(owner).objects.filter(pk=owner.pk).update(phone=NUMBER)
    suppression.suppress(NUMBER, reason="complaint", detail="")
    suppression.suppress("+43664000", reason="bounce", detail="")
    files = {file.name: list(file.rows or ()) for file in personal_files(owner.pk)}

    assert [row["address"] for row in files["notifications/suppressed_addresses.json"]] == [NUMBER]
    assert suppression.trust_proved_number(owner.pk) == 1
    assert [address for address, _, _ in listed()] == ["+43664000"]


@pytest.mark.django_db
def test_staff_may_switch_the_source_off_and_without_a_provider_there_is_none(
    drain: Drain, sms_sink: SmsSink, settings: Settings
) -> None:
    message = sent(drain)
    WebhookSource.objects.create(key="sms", name="Texts", scheme="twilio", secret="", is_active=False)
    assert tell(message, "delivered").status_code == 404

    WebhookSource.objects.all().delete()
    settings.SMS = {}
    assert tell(message, "delivered").status_code == 404
    assert WebhookSource.objects.count() == 0


@pytest.mark.parametrize(("public_url", "is_asked"), [("http://localhost:8000", False), ("https://nook.example", True)])
def test_twilio_itself_is_given_no_address_that_it_refuses(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, sms_sink: SmsSink, public_url: str, is_asked: bool
) -> None:
    settings.PUBLIC_URL = public_url
    port = sms_sink.server_port
    settings.SMS = {**settings.SMS, "base_url": f"http://api.twilio.com:{port}"}
    settings.OUTBOUND_ALLOWED_HOSTS = ["api.twilio.com"]
    lead_here(monkeypatch, "api.twilio.com", port)

    send(Outgoing("<01a1fbd6@nook.example>", NUMBER, "", "Hello"), fence=lambda: None)

    assert ("StatusCallback" in sms_sink.texts[0]) is is_asked
