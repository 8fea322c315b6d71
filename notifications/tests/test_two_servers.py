"""A second mail server takes what the first could not even be offered; both are real servers here."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from pytest_django import Settings

from core.models import DeadLetter
from core.tests.ports import free_port
from notifications import services
from notifications.models import MAX_ATTEMPTS, Message
from notifications.tests.smtp import HANG, MailController, SmtpSink

Drain = Callable[..., int]
DAY = timedelta(days=1)


@pytest.fixture
def second_sink(smtp_sink: SmtpSink, settings: Settings) -> Iterator[SmtpSink]:
    """The second mail server, which is configured beside the first."""
    sink = SmtpSink()
    controller = MailController(sink)
    controller.start()
    sink.port = controller.port
    settings.MAIL = smtp_sink.server
    settings.MAIL_FALLBACK = sink.server
    yield sink
    controller.stop(no_assert=True)


def welcome() -> Message:
    return services.send("account.welcome", address="ada@example.com")


def outcomes(message: Message) -> list[tuple[int, str, str]]:
    return list(message.attempts.order_by("number").values_list("number", "outcome", "answer"))


def test_the_first_server_takes_everything_as_long_as_it_can(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink
) -> None:
    message = welcome()
    drain()

    assert (len(smtp_sink.mails), second_sink.offers) == (1, 0)
    assert outcomes(message) == [(1, "sent", f"127.0.0.1:{smtp_sink.port}: 250 OK queued")]


def test_a_first_server_that_is_not_there_is_passed_over_at_once(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "port": free_port()}
    message = welcome()
    drain()

    message.refresh_from_db()
    assert (message.state, message.attempt_count, len(second_sink.mails)) == ("sent", 1, 1)
    assert outcomes(message) == [(1, "sent", f"127.0.0.1:{second_sink.port}: 250 OK queued")]


def test_a_first_server_that_its_breaker_leaves_alone_costs_no_mail_its_time(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "port": free_port()}
    for _ in range(7):
        welcome()
    drain()

    assert len(second_sink.mails) == 7
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}


def test_a_first_server_that_is_about_to_close_is_passed_over(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink
) -> None:
    smtp_sink.answers_to_rcpt.append("421 4.3.2 Shutting down")
    message = welcome()
    drain()

    assert (smtp_sink.mails, len(second_sink.mails)) == ([], 1)
    assert outcomes(message) == [(1, "sent", f"127.0.0.1:{second_sink.port}: 250 OK queued")]


def test_a_first_server_that_refuses_our_tls_is_passed_over(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "tls": "starttls"}
    welcome()
    drain()

    assert (smtp_sink.offers, len(second_sink.mails)) == (0, 1)


def test_a_first_server_that_hangs_before_the_mail_is_passed_over(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink
) -> None:
    smtp_sink.hold_next_offer()
    message = welcome()
    drain()
    smtp_sink.release_held_offer()

    message.refresh_from_db()
    assert (message.state, smtp_sink.mails, len(second_sink.mails)) == ("sent", [], 1)


def test_a_refusal_is_final_and_no_other_server_is_asked(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink
) -> None:
    smtp_sink.answers_to_rcpt.append("550 5.1.1 No such user")
    message = welcome()
    drain(ahead=DAY)

    message.refresh_from_db()
    assert (message.state, smtp_sink.offers, second_sink.offers) == ("failed", 1, 0)
    assert outcomes(message) == [(1, "refused", f"127.0.0.1:{smtp_sink.port}: 550 5.1.1 No such user")]


@pytest.mark.parametrize("step", ["answers_to_rcpt", "answers_to_data"])
def test_a_server_that_wants_this_mail_later_gets_it_later(
    step: str, drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink
) -> None:
    getattr(smtp_sink, step).append("450 4.2.0 Greylisted")
    message = welcome()
    drain(ahead=DAY)

    assert (len(smtp_sink.mails), second_sink.offers) == (1, 0)
    assert [outcome for _, outcome, _ in outcomes(message)] == ["deferred", "sent"]


def test_what_hung_after_the_mail_is_never_given_to_the_other_server(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "timeout": 1.0}
    smtp_sink.answers_to_data.append(HANG)
    message = welcome()
    drain()
    settings.MAIL = smtp_sink.server
    drain(ahead=DAY)

    assert second_sink.offers == 0
    assert [mail["Message-ID"] for mail in smtp_sink.mails] == [message.message_id] * 2
    assert [outcome for _, outcome, _ in outcomes(message)] == ["deferred", "sent"]


def test_a_server_that_closes_in_the_middle_of_the_mail_is_asked_again_later(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink
) -> None:
    smtp_sink.answers_to_data.append("421 4.3.2 Shutting down")
    message = welcome()
    drain(ahead=DAY)

    assert (len(smtp_sink.mails), second_sink.offers) == (1, 0)
    assert [outcome for _, outcome, _ in outcomes(message)] == ["deferred", "sent"]


def test_the_second_server_s_refusal_is_as_final_and_says_what_the_first_one_did(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "port": free_port()}
    second_sink.answers_to_rcpt.append("550 5.1.1 No such user")
    message = welcome()
    drain(ahead=DAY)

    message.refresh_from_db()
    assert message.state == "failed"
    first, second = settings.MAIL["port"], second_sink.port
    assert outcomes(message) == [
        (
            1,
            "refused",
            f"127.0.0.1:{first}: ConnectionRefusedError: [Errno 111] Connection refused; "
            f"127.0.0.1:{second}: 550 5.1.1 No such user",
        )
    ]


def test_with_both_servers_away_the_mail_waits_and_is_given_up_in_the_end(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL = {**smtp_sink.server, "port": free_port()}
    settings.MAIL_FALLBACK = {**second_sink.server, "port": free_port()}
    message = welcome()
    drain()
    message.refresh_from_db()
    assert message.state == "queued"

    drain(ahead=DAY)
    message.refresh_from_db()
    assert (message.state, message.attempt_count) == ("failed", MAX_ATTEMPTS)
    assert DeadLetter.objects.count() == 1


def test_the_second_server_may_be_a_folder(
    drain: Drain, smtp_sink: SmtpSink, settings: Settings, tmp_path: Any
) -> None:
    settings.MAIL = {**smtp_sink.server, "port": free_port()}
    settings.MAIL_FALLBACK = {"scheme": "folder", "folder": str(tmp_path)}
    message = welcome()
    drain()

    assert outcomes(message) == [(1, "sent", "folder: written to the mail folder")]
    assert len(list(tmp_path.glob("*.eml"))) == 1


def _refuse_everybody(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=False, handled=False)


def test_a_first_server_that_refuses_our_sign_in_is_passed_over(
    drain: Drain, smtp_sink: SmtpSink, second_sink: SmtpSink, settings: Settings
) -> None:
    controller = MailController(SmtpSink(), authenticator=_refuse_everybody, auth_require_tls=False)
    controller.start()
    settings.MAIL = {**smtp_sink.server, "port": controller.port, "user": "ada", "password": "wrong"}
    message = welcome()
    drain()
    controller.stop(no_assert=True)

    assert outcomes(message) == [(1, "sent", f"127.0.0.1:{second_sink.port}: 250 OK queued")]
