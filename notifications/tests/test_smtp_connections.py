"""A worker keeps its connection to a mail server, and no mail is lost or doubled by it; the servers are real ones."""

import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings

from core.breaker import state_of
from core.tests.test_outages import eventually
from notifications import services
from notifications.channels import Outgoing, email
from notifications.channels.smtp import MOST_MAILS
from notifications.models import Message
from notifications.tests.smtp import MailController, SmtpSink

Drain = Callable[..., int]
DAY = timedelta(days=1)


class Doorkeeper(SmtpSink):
    """A mail server that knows over which connection each mail came, and hangs up when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.callers: list[object] = []
        """For each mail that was offered, which connection it came by."""
        self.answers_to_mail: deque[str] = deque()
        self.hangs_up_at: str = ""
        self.open: set[SMTP] = set()

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.open = {one for one in self.open if not _is_closing(one)} | {server}
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answers_to_mail:
            return self.answers_to_mail.popleft()
        self._leave_at("MAIL", server)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._leave_at("RCPT", server)
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.callers.append(session.peer)
        answer = await super().handle_DATA(server, session, envelope)
        self._leave_at("DATA", server)
        return answer

    def hang_up(self) -> None:
        """Close every connection, as a server that is started anew does."""
        for server in self.open:
            server.loop.call_soon_threadsafe(_close, server)
        eventually(lambda: not self.connections)

    @property
    def connections(self) -> int:
        return sum(not _is_closing(one) for one in self.open)

    def _leave_at(self, step: str, server: SMTP) -> None:
        if self.hangs_up_at == step:
            self.hangs_up_at = ""
            _close(server)


def _close(server: SMTP) -> None:
    if server.transport is not None:
        server.transport.close()


def _is_closing(server: SMTP) -> bool:
    return server.transport is None or server.transport.is_closing()


@pytest.fixture
def doorkeeper(settings: Settings) -> Iterator[Doorkeeper]:
    sink = Doorkeeper()
    controller = MailController(sink)
    controller.start()
    sink.port = controller.port
    settings.MAIL = sink.server
    settings.EMAIL_IDLE_SECONDS = 60.0
    yield sink
    controller.stop(no_assert=True)


def mail(number: int) -> Outgoing:
    return Outgoing(f"<{number}@nook.example>", "ada@example.com", "Hello", "A text.\n")


def send(number: int) -> str:
    return email.send(mail(number), fence=lambda: None)


def outcomes(message: Message) -> list[tuple[int, str]]:
    return list(message.attempts.order_by("number").values_list("number", "outcome"))


def ids_of(sink: SmtpSink) -> list[str]:
    return [mail["Message-ID"] for mail in sink.mails]


def test_one_connection_serves_many_mails(drain: Drain, doorkeeper: Doorkeeper) -> None:
    for _ in range(5):
        services.send("account.welcome", address="ada@example.com")
    drain()

    assert (len(doorkeeper.mails), len(set(doorkeeper.callers))) == (5, 1)


def test_after_so_many_mails_a_new_one_is_opened(doorkeeper: Doorkeeper) -> None:
    for number in range(MOST_MAILS + 1):
        send(number)

    assert ids_of(doorkeeper) == [f"<{number}@nook.example>" for number in range(MOST_MAILS + 1)]
    assert len(set(doorkeeper.callers[:MOST_MAILS])) == 1
    assert doorkeeper.callers[MOST_MAILS] != doorkeeper.callers[0]


def test_one_that_the_server_closed_in_between_is_opened_anew(drain: Drain, doorkeeper: Doorkeeper) -> None:
    send(1)
    doorkeeper.hang_up()
    message = services.send("account.welcome", address="ada@example.com")
    drain()

    assert ids_of(doorkeeper) == ["<1@nook.example>", message.message_id]
    assert outcomes(message) == [(1, "sent")]


@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
def test_one_that_breaks_before_the_mail_was_offered_is_opened_anew(
    step: str, drain: Drain, doorkeeper: Doorkeeper
) -> None:
    send(1)
    doorkeeper.hangs_up_at = step
    message = services.send("account.welcome", address="ada@example.com")
    drain()

    assert ids_of(doorkeeper) == ["<1@nook.example>", message.message_id]
    assert outcomes(message) == [(1, "sent")]


@pytest.mark.parametrize("step", ["answers_to_mail", "answers_to_rcpt"])
def test_a_server_that_takes_no_more_over_it_gets_the_mail_over_a_new_one(
    step: str, drain: Drain, doorkeeper: Doorkeeper, smtp_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL_FALLBACK = smtp_sink.server
    send(1)
    getattr(doorkeeper, step).append("421 4.7.0 Too many messages on this connection")
    message = services.send("account.welcome", address="ada@example.com")
    drain()

    assert ids_of(doorkeeper) == ["<1@nook.example>", message.message_id]
    assert (len(set(doorkeeper.callers)), smtp_sink.offers) == (2, 0)
    assert outcomes(message) == [(1, "sent")]


def test_a_server_that_is_gone_is_asked_once_and_the_other_one_takes_the_mail(
    drain: Drain, doorkeeper: Doorkeeper, smtp_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL_FALLBACK = smtp_sink.server
    send(1)
    doorkeeper.answers_to_mail.extend(["421 4.3.2 Shutting down"] * 2)
    message = services.send("account.welcome", address="ada@example.com")
    drain()

    assert (ids_of(doorkeeper), ids_of(smtp_sink)) == (["<1@nook.example>"], [message.message_id])
    assert not doorkeeper.answers_to_mail


def test_one_that_breaks_after_the_mail_may_have_been_taken_repeats_nothing_at_once(
    drain: Drain, doorkeeper: Doorkeeper, smtp_sink: SmtpSink, settings: Settings
) -> None:
    settings.MAIL_FALLBACK = smtp_sink.server
    send(1)
    doorkeeper.hangs_up_at = "DATA"
    message = services.send("account.welcome", address="ada@example.com")
    drain()

    message.refresh_from_db()
    assert (message.state, outcomes(message)) == ("queued", [(1, "deferred")])
    assert ids_of(doorkeeper) == ["<1@nook.example>", message.message_id]

    drain(ahead=DAY)
    assert outcomes(message) == [(1, "deferred"), (2, "sent")]
    assert (doorkeeper.mails[-1]["Message-ID"], smtp_sink.mails) == (message.message_id, [])


@pytest.mark.parametrize("step", ["answers_to_rcpt", "answers_to_data"])
def test_a_mail_that_is_refused_spoils_none_after_it(step: str, drain: Drain, doorkeeper: Doorkeeper) -> None:
    send(1)
    getattr(doorkeeper, step).append("550 5.1.1 No such user")
    refused = services.send("account.welcome", address="ada@example.com")
    drain()
    send(2)

    assert outcomes(refused) == [(1, "refused")]
    assert ids_of(doorkeeper) == ["<1@nook.example>", "<2@nook.example>"]


def test_another_way_to_sign_in_never_goes_over_the_old_one(doorkeeper: Doorkeeper, settings: Settings) -> None:
    send(1)
    settings.MAIL = {**doorkeeper.server, "timeout": 3.0}
    send(2)

    assert len(set(doorkeeper.callers)) == 2


def test_a_thread_that_is_kept_waiting_has_its_connection_for_itself(doorkeeper: Doorkeeper) -> None:
    send(1)
    doorkeeper.hold_next_offer()
    slow = threading.Thread(target=send, args=[2])
    slow.start()
    doorkeeper.wait_for_held_offer()
    send(3)
    doorkeeper.release_held_offer()
    slow.join()

    assert sorted(ids_of(doorkeeper)) == [f"<{number}@nook.example>" for number in (1, 2, 3)]
    assert doorkeeper.callers[0] != doorkeeper.callers[1]


def test_a_forked_child_leaves_its_parent_s_connection_alone(doorkeeper: Doorkeeper) -> None:
    send(1)
    with warnings.catch_warnings():
        # Newer Pythons warn of threads that a child does not have; those here are the mail server's.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        answer = _answer_in_a_child()
        os._exit(0 if answer == "250 OK queued" else 1)
    _, status = os.waitpid(child, 0)
    send(3)

    assert status == 0
    assert ids_of(doorkeeper) == [f"<{number}@nook.example>" for number in (1, 2, 3)]
    first, of_the_child, last = doorkeeper.callers
    assert (first == last, first == of_the_child) == (True, False)


def _answer_in_a_child() -> str:
    try:
        return send(2)
    except BaseException as error:  # a child of a test that goes on would run the other tests
        return str(error)


def test_one_that_is_idle_for_long_is_closed(doorkeeper: Doorkeeper, settings: Settings) -> None:
    settings.EMAIL_IDLE_SECONDS = 0.2
    send(1)

    eventually(lambda: not doorkeeper.connections)


def test_none_is_kept_where_the_operator_wants_none(doorkeeper: Doorkeeper, settings: Settings) -> None:
    settings.EMAIL_IDLE_SECONDS = 0
    send(1)
    send(2)

    assert len(set(doorkeeper.callers)) == 2
    eventually(lambda: not doorkeeper.connections)


def test_a_server_that_hangs_up_again_and_again_opens_no_breaker(doorkeeper: Doorkeeper) -> None:
    for number in range(8):
        send(number)
        doorkeeper.hangs_up_at = "MAIL"

    assert state_of(f"smtp:127.0.0.1:{doorkeeper.port}") == "closed"
    assert ids_of(doorkeeper) == [f"<{number}@nook.example>" for number in range(8)]
