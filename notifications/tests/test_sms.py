"""Text messages: rows like mails, over Twilio's API."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from core.models import DeadLetter
from notifications import services
from notifications.kinds import KINDS
from notifications.models import MAX_ATTEMPTS, Message, MessageAttempt
from notifications.services.delivery import Postponed
from notifications.tests.twilio import SENDER, Answer, SmsSink, refused

Drain = Callable[..., int]
NUMBER, CODE = "+436641234567", "909090"
DAY = timedelta(days=1)


def text(**more: Any) -> Message:
    return services.send("account.phone_code", address=NUMBER, context={"code": CODE}, **more)


def attempts(message: Message) -> list[tuple[str, str]]:
    return list(message.attempts.order_by("number").values_list("outcome", "answer"))


def test_a_text_leaves_as_twilio_takes_it(drain: Drain, sms_sink: SmsSink, settings: Settings) -> None:
    message = text()
    drain()

    (sent,) = sms_sink.requests
    assert sent == {
        "To": NUMBER,
        "From": SENDER,
        "Body": f"909090 is your code at {settings.SITE_NAME}. Tell it to nobody.",
        "StatusCallback": f"https://nook.example/api/v1/webhooks/in/sms?message={message.pk}",
        "content-type": "application/x-www-form-urlencoded",
    }
    message.refresh_from_db()
    assert (message.channel, message.state) == ("sms", "sent")
    assert attempts(message) == [("sent", f"201 queued SM{1:032}")]


def test_a_messaging_service_takes_the_place_of_the_sender(drain: Drain, sms_sink: SmsSink, settings: Settings) -> None:
    settings.SMS = {**settings.SMS, "sender": "", "messaging_service": "MG1"}
    text()
    drain()

    assert sms_sink.texts[0]["MessagingServiceSid"] == "MG1"
    assert "From" not in sms_sink.texts[0]


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, 21211, "The 'To' number is not a valid phone number."),
        (400, 21408, "Permission to send an SMS has not been enabled for the region"),
        (400, 21610, "Attempt to send to unsubscribed recipient"),
        (400, 21614, "'To' number is not a valid mobile number"),
    ],
)
def test_a_refused_number_is_final(drain: Drain, sms_sink: SmsSink, status: int, code: int, message: str) -> None:
    sms_sink.answers.append(refused(status, code, message))
    row = text()
    drain(ahead=DAY)

    row.refresh_from_db()
    assert (row.state, attempts(row)) == ("failed", [("refused", f"{status} {code} {message}")])
    assert (len(sms_sink.requests), DeadLetter.objects.count()) == (1, 0)


@pytest.mark.parametrize(
    "answer",
    [
        refused(429, 20429, "Too Many Requests"),
        refused(400, 21611, "The sender has too many queued messages"),
        refused(401, 20003, "Authenticate"),
        refused(403, 20403, "Suspended"),
        refused(500, 20500, "Internal Server Error"),
        Answer(502, b"<html>Bad Gateway</html>"),
        Answer(302, b"", (("Location", "http://169.254.169.254/"),)),
    ],
    ids=lambda answer: str(answer.status),
)
def test_anything_else_is_tried_again(drain: Drain, sms_sink: SmsSink, answer: Answer) -> None:
    sms_sink.answers.append(answer)
    row = text()
    drain(ahead=DAY)

    row.refresh_from_db()
    assert (row.state, [outcome for outcome, _ in attempts(row)]) == ("sent", ["deferred", "sent"])
    assert len(sms_sink.to(NUMBER)) == 1


def test_the_pause_that_the_provider_asks_for_is_kept(drain: Drain, sms_sink: SmsSink) -> None:
    sms_sink.answers.append(refused(429, 20429, "Too Many Requests", Retry_After="900"))
    row = text()
    drain()

    row.refresh_from_db()
    assert row.next_try_at is not None
    assert timedelta(seconds=890) < row.next_try_at - timezone.now() < timedelta(seconds=910)


def test_a_provider_that_hangs_is_left_after_its_time(drain: Drain, sms_sink: SmsSink, settings: Settings) -> None:
    settings.SMS = {**settings.SMS, "timeout": 0.3}
    sms_sink.answers.append(Answer(500, b"", pause=1))
    row = text()
    drain()

    assert attempts(row) == [("deferred", "TimedOut: The answer took too long.")]


def test_after_the_last_attempt_it_is_a_dead_letter(drain: Drain, sms_sink: SmsSink) -> None:
    sms_sink.answers.extend([refused(429, 20429, "Too Many Requests")] * MAX_ATTEMPTS)
    row = text()
    drain(ahead=DAY)

    row.refresh_from_db()
    assert (row.state, len(sms_sink.requests), DeadLetter.objects.count()) == ("failed", MAX_ATTEMPTS, 1)


def test_what_holds_no_longer_is_not_sent(drain: Drain, sms_sink: SmsSink) -> None:
    row = text(expires_at=timezone.now() - timedelta(seconds=1))
    drain()

    row.refresh_from_db()
    assert (row.state, sms_sink.requests) == ("failed", [])
    assert attempts(row) == [("refused", "too late: what it says holds no longer")]


def test_without_a_provider_nothing_is_tried_twice(drain: Drain, settings: Settings) -> None:
    settings.SMS = {}
    row = text()
    drain(ahead=DAY)

    row.refresh_from_db()
    assert (row.state, row.attempts.count()) == ("failed", 1)


def test_a_developer_reads_it_on_the_console(
    drain: Drain, settings: Settings, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SMS = {"scheme": "console"}
    row = text()
    drain()

    row.refresh_from_db()
    assert (row.state, attempts(row)) == ("sent", [("sent", "printed on the console")])


def test_the_code_cannot_be_read_in_the_table(db: None) -> None:
    text()

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(messages)::text FROM messages")
        (row,) = cursor.fetchone()
    assert CODE not in row


@pytest.mark.parametrize("is_shown", [True, False])
def test_staff_see_the_code_in_development_only(
    admin: Any, browser_of: Callable[[Any], Client], settings: Settings, is_shown: bool
) -> None:
    settings.ADMIN_SHOWS_MAIL_SECRETS = is_shown
    row = text()

    page = browser_of(admin).get(f"/admin/notifications/message/{row.pk}/change/").content.decode()

    assert (CODE in page) is is_shown
    assert "is your code at" in page


def test_every_kind_of_text_has_its_template(drain: Drain, sms_sink: SmsSink) -> None:
    texted = [kind for kind in KINDS.values() if kind.channel == "sms"]
    for kind in texted:
        variables = {name: f"value-of-{name}" for name in kind.required | kind.optional}
        services.send(kind.code, address=NUMBER, context=variables)
    drain()

    assert len(texted) == len(sms_sink.texts) > 0
    for kind, sent in zip(texted, sms_sink.to(NUMBER), strict=True):
        assert all(f"value-of-{name}" in sent for name in kind.required | kind.optional)


def test_a_channel_that_this_release_does_not_know_is_waited_for(db: None) -> None:
    row = text()
    Message.objects.filter(pk=row.pk).update(channel="pigeon")

    assert isinstance(services.deliver(message_id=row.pk), Postponed)

    attempt = MessageAttempt.objects.get(message=row)
    assert (attempt.outcome, attempt.answer) == ("deferred", "there is no channel pigeon")
