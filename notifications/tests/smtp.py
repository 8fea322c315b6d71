"""The pytest plugin that gives every test a real SMTP server, whose answers can be scripted."""

import asyncio
import re
import threading
from collections import deque
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings

from core.tests.ports import free_port
from core.tests.spine import HASTENED
from notifications.channels import smtp

HASTENED.append(
    "UPDATE messages SET next_try_at = clock_timestamp()"
    " WHERE next_try_at <= clock_timestamp() + make_interval(secs => %s)"
)
PATIENT = 15.0
"""Seconds for a server that does answer: a machine that is busy with other tests is no server that hangs."""
HANG = "hang"
"""As an answer to DATA: the mail is taken, and the server says nothing more."""


class SmtpSink:
    """A mail server that keeps what it takes, in `mails`.

    `answers_to_rcpt` and `answers_to_data` are used up one for each mail; when empty, the answer is yes.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers_to_rcpt: deque[str] = deque()
        self.answers_to_data: deque[str] = deque()
        self.offers = 0
        self.port = 0
        self._holds_next_offer = False
        self._held = threading.Event()
        self._released = threading.Event()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?tls=none"

    @property
    def server(self) -> dict[str, Any]:
        """Return `settings.MAIL` for this server."""
        return {"scheme": "smtp", "host": "127.0.0.1", "port": self.port, "tls": "none", "timeout": PATIENT}

    def clear(self) -> None:
        for kept in (self.mails, self.answers_to_rcpt, self.answers_to_data):
            kept.clear()
        self.offers = 0

    def hold_next_offer(self) -> None:
        """Leave the next RCPT without an answer until `release_held_offer`."""
        self._held.clear()
        self._released.clear()
        self._holds_next_offer = True

    def wait_for_held_offer(self) -> None:
        assert self._held.wait(60)

    def release_held_offer(self) -> None:
        self._released.set()

    def to(self, address: str) -> list[EmailMessage]:
        """Return the mails to this address, oldest first."""
        return [mail for mail in self.mails if mail["To"] == address]

    def token_sent_to(self, address: str) -> str:
        """Return the secret in the link of the newest mail to this address."""
        links: list[str] = re.findall(r"\S+\?token=\S+", text_of(self.to(address)[-1]))
        (token,) = parse_qs(urlsplit(links[0]).query)["token"]
        return token

    async def handle_RCPT(  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.offers += 1
        if self._holds_next_offer:
            self._holds_next_offer = False
            self._held.set()
            await asyncio.to_thread(self._released.wait, 60)
        if self.answers_to_rcpt:
            return self.answers_to_rcpt.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # as above
        answer = self.answers_to_data.popleft() if self.answers_to_data else "250 OK queued"
        if answer == HANG or answer.startswith("2"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content, policy=default))
        if answer == HANG:
            await asyncio.sleep(30)
        return answer


def text_of(mail: EmailMessage) -> str:
    """Return the text part of a mail."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(mail: EmailMessage) -> str:
    """Return the HTML part of a mail."""
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


class MailController(Controller):
    """Runs a mail server in a thread; when it stops it hangs up on those who keep their connection."""

    def __init__(self, handler: Any, **options: Any) -> None:
        super().__init__(handler, hostname="127.0.0.1", port=free_port(), **options)
        self._sessions: list[SMTP] = []

    def factory(self) -> SMTP:
        session: SMTP = super().factory()  # type: ignore[no-untyped-call]  # aiosmtpd's
        self._sessions.append(session)
        return session

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(10)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        for session in self._sessions:
            if isinstance(session.transport, asyncio.Transport):
                session.transport.abort()
        while any(session.transport is not None for session in self._sessions):
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def _smtp_server() -> Iterator[SmtpSink]:
    sink = SmtpSink()
    controller = MailController(sink)
    controller.start()
    sink.port = controller.port
    yield sink
    controller.stop(no_assert=True)


@pytest.fixture(autouse=True)
def smtp_sink(_smtp_server: SmtpSink, settings: Settings) -> SmtpSink:
    """A real mail server, where every mail of the test goes."""
    smtp.hang_up()
    _smtp_server.clear()
    settings.MAIL = _smtp_server.server
    settings.MAIL_FALLBACK = {}
    return _smtp_server
