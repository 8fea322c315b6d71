import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from core import beside
from core.models import DeadLetter, OutboxRow
from core.permissions import SYSTEM
from core.queue import GiveUp, RetryLater
from core.tests.ports import free_port
from core.tests.test_outages import eventually
from notifications import services
from notifications.models import MAX_ATTEMPTS, Message, MessageAttempt
from notifications.tasks import deliver, purge
from notifications.tests.smtp import HANG, PATIENT, SmtpSink, html_of, text_of

Drain = Callable[..., int]
DAY = timedelta(days=1)


def welcome() -> Message:
    return services.send("account.welcome", address="ada@example.com")


def outcomes(message: Message) -> list[tuple[int, str, str]]:
    return list(message.attempts.order_by("number").values_list("number", "outcome", "answer"))


def test_a_busy_server_is_asked_again_later(drain: Drain, smtp_sink: SmtpSink) -> None:
    smtp_sink.answers_to_rcpt.extend(["450 4.2.0 Greylisted", "421 4.7.0 Try later"])
    message = welcome()

    drain()
    message.refresh_from_db()
    assert (message.state, smtp_sink.mails) == ("queued", [])
    assert message.next_try_at is not None
    assert timedelta(seconds=20) < message.next_try_at - timezone.now() < timedelta(seconds=40)

    drain(ahead=DAY)
    assert len(smtp_sink.mails) == 1
    assert outcomes(message) == [
        (1, "deferred", "450 4.2.0 Greylisted"),
        (2, "deferred", "421 4.7.0 Try later"),
        (3, "sent", "250 OK queued"),
    ]


@pytest.mark.parametrize("step", ["answers_to_rcpt", "answers_to_data"])
def test_a_refusal_is_final(step: str, drain: Drain, smtp_sink: SmtpSink, events: Callable[..., Any]) -> None:
    getattr(smtp_sink, step).append("550 5.1.1 No such user")
    message = welcome()
    drain(ahead=DAY)

    message.refresh_from_db()
    assert (message.state, smtp_sink.mails, smtp_sink.offers) == ("failed", [], 1)
    assert outcomes(message) == [(1, "refused", "550 5.1.1 No such user")]
    assert not OutboxRow.objects.filter(task="notifications.tasks.deliver").exists()
    assert not DeadLetter.objects.exists()
    (event,) = events("notification.failed")
    assert (event.subject_id, event.payload) == (
        str(message.id),
        {"kind": "account.welcome", "outcome": "refused"},
    )


def test_after_the_last_attempt_the_message_is_a_dead_letter(drain: Drain, smtp_sink: SmtpSink) -> None:
    smtp_sink.answers_to_data.extend(["451 4.3.0 Disk full"] * MAX_ATTEMPTS)
    message = welcome()
    drain(ahead=DAY)

    message.refresh_from_db()
    assert (message.state, message.attempt_count, message.attempts_left) == ("failed", 12, 0)
    assert smtp_sink.offers == 12
    (letter,) = DeadLetter.objects.all()
    assert (letter.task, letter.reason) == ("notifications.tasks.deliver", "451 4.3.0 Disk full")


def test_a_dead_letter_that_is_tried_again_sends_the_mail(drain: Drain, smtp_sink: SmtpSink) -> None:
    smtp_sink.answers_to_data.extend(["451 4.3.0 Disk full"] * MAX_ATTEMPTS)
    message = welcome()
    drain(ahead=DAY)

    deliver(message_id=str(message.id))

    message.refresh_from_db()
    assert (message.state, len(smtp_sink.mails)) == ("sent", 1)


def test_the_waits_grow_and_are_bounded(drain: Drain, smtp_sink: SmtpSink) -> None:
    smtp_sink.answers_to_rcpt.extend(["450 4.2.0 Greylisted"] * MAX_ATTEMPTS)
    message = welcome()
    drain(ahead=DAY)

    waits = [
        (attempt.next_try_at - attempt.finished_at).total_seconds()
        for attempt in message.attempts.order_by("number")
        if attempt.next_try_at and attempt.finished_at
    ]
    for full, wait in zip([30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600], waits, strict=True):
        assert full * 0.74 < wait < full * 1.26


def test_a_run_that_comes_too_early_leaves_a_busy_server_alone(drain: Drain, smtp_sink: SmtpSink) -> None:
    smtp_sink.answers_to_rcpt.append("450 4.2.0 Greylisted")
    message = welcome()
    drain()

    for _ in range(3):
        with pytest.raises(RetryLater, match="its next try is not due yet") as later:
            deliver(message_id=str(message.id))
        assert later.value.is_attempt is False
        assert later.value.after is not None
        assert timedelta(seconds=15) < later.value.after < timedelta(seconds=40)

    assert (smtp_sink.offers, message.attempts.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_server_that_keeps_a_worker_waiting_is_waited_for_beside_other_work(
    smtp_sink: SmtpSink, a_pool_child: None
) -> None:
    slow, quick = welcome(), welcome()
    smtp_sink.hold_next_offer()

    with pytest.raises(RetryLater, match="waited for beside other work") as later:
        deliver(message_id=str(slow.id))
    assert (later.value.is_attempt, later.value.after) == (False, timedelta(seconds=3 * PATIENT))
    with suppress(RetryLater):  # where others are waited for, a busy machine is soon slow
        deliver(message_id=str(quick.id))
    eventually(lambda: [mail["Message-ID"] for mail in smtp_sink.mails] == [quick.message_id])

    smtp_sink.release_held_offer()
    beside.wait_for_all(seconds=10)
    deliver(message_id=str(slow.id))

    assert [mail["Message-ID"] for mail in smtp_sink.mails] == [quick.message_id, slow.message_id]
    assert outcomes(slow) == [(1, "sent", "250 OK queued")]


@pytest.mark.django_db(transaction=True)
def test_where_many_wait_for_an_answer_no_more_are_offered(smtp_sink: SmtpSink, a_pool_child: None) -> None:
    message = welcome()
    gate = threading.Event()
    for _ in range(beside.LANE_WIDTH):
        with pytest.raises(beside.LeftBehind):
            beside.run("email", lambda: gate.wait(20))

    with pytest.raises(RetryLater, match="too many wait for an answer on this channel") as later:
        deliver(message_id=str(message.id))
    gate.set()
    beside.wait_for_all(seconds=10)

    message.refresh_from_db()
    assert (message.state, message.attempt_count, smtp_sink.offers) == ("queued", 0, 0)
    assert later.value.is_attempt is False
    deliver(message_id=str(message.id))
    assert len(smtp_sink.mails) == 1


@pytest.mark.django_db(transaction=True)
def test_the_last_attempt_is_waited_for_so_that_it_is_known_to_be_the_last(
    smtp_sink: SmtpSink, settings: Settings, a_pool_child: None
) -> None:
    settings.MAIL = {**smtp_sink.server, "timeout": 1.5}
    smtp_sink.answers_to_data.append(HANG)
    message = welcome()
    Message.objects.update(attempts_left=1)

    with pytest.raises(GiveUp):
        deliver(message_id=str(message.id))

    message.refresh_from_db()
    assert (message.state, message.attempts_left) == ("failed", 0)


def test_running_the_task_three_times_sends_one_mail(db: None, smtp_sink: SmtpSink) -> None:
    message = welcome()

    for _ in range(3):
        deliver(message_id=str(message.id))

    assert len(smtp_sink.mails) == 1
    assert message.attempts.count() == 1


@pytest.mark.django_db(transaction=True)
def test_running_the_task_in_parallel_sends_one_mail(smtp_sink: SmtpSink) -> None:
    message = welcome()
    barrier = threading.Barrier(6)
    postponed: list[str] = []

    def run() -> None:
        barrier.wait()
        try:
            deliver(message_id=str(message.id))
        except RetryLater as later:
            postponed.append(later.reason)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(smtp_sink.mails) == 1
    assert set(postponed) <= {"another worker is sending this message"}
    message.refresh_from_db()
    assert (message.state, message.attempts.count()) == ("sent", 1)


def test_a_message_that_another_worker_is_sending_waits(db: None, smtp_sink: SmtpSink) -> None:
    message = welcome()
    Message.objects.update(state="sending", attempt_count=1, claimed_at=timezone.now())

    with pytest.raises(RetryLater, match="another worker is sending this message"):
        deliver(message_id=str(message.id))

    assert smtp_sink.offers == 0


def test_a_killed_worker_leaves_its_message_to_the_next(db: None, smtp_sink: SmtpSink) -> None:
    message = welcome()
    message.attempts.create(number=1)
    Message.objects.update(state="sending", attempt_count=1, claimed_at=timezone.now() - timedelta(minutes=1))

    deliver(message_id=str(message.id))

    assert len(smtp_sink.mails) == 1
    assert [(number, outcome) for number, outcome, _ in outcomes(message)] == [(1, "interrupted"), (2, "sent")]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_was_taken_over_stops_before_the_mail(smtp_sink: SmtpSink) -> None:
    message = welcome()
    smtp_sink.hold_next_offer()
    postponed: list[str] = []

    def run_slowly() -> None:
        try:
            deliver(message_id=str(message.id))
        except RetryLater as later:
            postponed.append(later.reason)
        finally:
            connection.close()

    slow_worker = threading.Thread(target=run_slowly)
    slow_worker.start()
    smtp_sink.wait_for_held_offer()
    Message.objects.update(claimed_at=timezone.now() - timedelta(minutes=1))
    deliver(message_id=str(message.id))
    smtp_sink.release_held_offer()
    slow_worker.join()

    assert (len(smtp_sink.mails), smtp_sink.offers) == (1, 2)
    assert postponed == ["another worker is sending this message"]
    assert [outcome for _, outcome, _ in outcomes(message)] == ["interrupted", "sent"]


def test_a_server_that_hangs_after_the_mail_may_get_it_twice_under_one_message_id(
    drain: Drain, smtp_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "timeout": 1.5}
    smtp_sink.answers_to_data.append(HANG)
    message = welcome()
    drain(ahead=DAY)

    assert [mail["Message-ID"] for mail in smtp_sink.mails] == [message.message_id] * 2
    assert outcomes(message) == [
        (1, "deferred", "SMTPServerDisconnected: Connection unexpectedly closed: timed out"),
        (2, "sent", "250 OK queued"),
    ]


def test_a_server_that_is_not_there_is_asked_again(drain: Drain, smtp_sink: SmtpSink, settings: Settings) -> None:
    settings.MAIL = {**smtp_sink.server, "port": free_port()}
    message = welcome()
    drain()

    message.refresh_from_db()
    assert message.state == "queued"
    assert outcomes(message) == [(1, "deferred", "ConnectionRefusedError: [Errno 111] Connection refused")]


def test_a_server_that_stays_away_is_left_alone_for_a_while(
    drain: Drain, smtp_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "port": free_port()}
    for _ in range(6):
        welcome()
    drain()

    answers = sorted(MessageAttempt.objects.values_list("answer", flat=True))
    refused = "ConnectionRefusedError: [Errno 111] Connection refused"
    left_alone = f"smtp:127.0.0.1:{settings.MAIL['port']} failed too often and is not asked for the moment."
    assert answers == [refused] * 5 + [left_alone]


def test_a_server_without_tls_gets_nothing_when_tls_is_asked_for(
    drain: Drain, smtp_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "tls": "starttls"}
    message = welcome()
    drain()

    assert smtp_sink.offers == 0
    assert outcomes(message) == [(1, "deferred", "SMTPNotSupportedError: STARTTLS extension not supported by server.")]


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com\r\nBcc: all@example.com",
        "no-domain",
        "two words@example.com",
        "jürgen@example.com",
        "ada@" + "x" * 70 + ".com",
    ],
)
def test_an_address_that_is_none_fails_at_once(address: str, drain: Drain, smtp_sink: SmtpSink) -> None:
    message = services.send("account.welcome", address=address)
    drain(ahead=DAY)

    message.refresh_from_db()
    assert (message.state, smtp_sink.offers) == ("failed", 0)
    assert message.attempts.get().answer.startswith("not a usable address or subject")


def test_a_line_break_in_a_subject_makes_no_header(drain: Drain, smtp_sink: SmtpSink) -> None:
    services.send(
        "ops.alert", address="ada@example.com", context={"title": "Disk\r\nBcc: all@example.com", "text": "Full"}
    )
    drain()

    (mail,) = smtp_sink.mails
    assert mail["Subject"] == "[Nook Link] Disk Bcc: all@example.com"
    assert mail["Bcc"] is None


def test_markup_in_a_name_stays_text(drain: Drain, smtp_sink: SmtpSink) -> None:
    services.send("account.welcome", address="ada@example.com", name="<b>Ada</b> & Co")
    drain()

    (mail,) = smtp_sink.mails
    assert "Hello &lt;b&gt;Ada&lt;/b&gt; &amp; Co," in html_of(mail)
    assert text_of(mail).startswith("Hello <b>Ada</b> & Co,")


def test_an_international_domain_travels_in_ascii(drain: Drain, smtp_sink: SmtpSink) -> None:
    services.send("account.welcome", address="ada@bücher.example")
    drain()

    assert [mail["To"] for mail in smtp_sink.mails] == ["ada@xn--bcher-kva.example"]


def test_a_kind_that_this_release_does_not_know_waits_for_one_that_does(drain: Drain, smtp_sink: SmtpSink) -> None:
    message = welcome()
    Message.objects.update(kind="account.of_the_next_release")
    drain()

    message.refresh_from_db()
    assert (message.state, smtp_sink.offers) == ("queued", 0)
    assert message.attempts.get().answer == "cannot be written: UnknownKind: account.of_the_next_release"

    Message.objects.update(kind="account.welcome")
    drain(ahead=DAY)
    assert len(smtp_sink.mails) == 1


def test_a_message_that_its_dead_worker_left_can_be_sent_again(drain: Drain, smtp_sink: SmtpSink) -> None:
    message = welcome()
    OutboxRow.objects.all().delete()
    Message.objects.update(state="sending", attempt_count=1, claimed_at=timezone.now() - timedelta(minutes=59))
    assert services.resend(message_ids=[message.id], actor=SYSTEM) == 0

    Message.objects.update(claimed_at=timezone.now() - timedelta(minutes=61))
    assert services.resend(message_ids=[message.id], actor=SYSTEM) == 1
    drain()

    assert len(smtp_sink.mails) == 1


def test_messages_are_forgotten_after_their_time(drain: Drain, smtp_sink: SmtpSink) -> None:
    old, waiting, fresh = welcome(), welcome(), welcome()
    drain()
    long_ago = timezone.now() - timedelta(days=91)
    Message.objects.filter(id__in=[old.id, waiting.id]).update(created_at=long_ago)
    Message.objects.filter(id=waiting.id).update(state="queued")

    purge()

    assert set(Message.objects.values_list("id", flat=True)) == {waiting.id, fresh.id}
    assert not old.attempts.exists()
