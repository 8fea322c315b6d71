"""Every way in which a mail server says no, as the only server and as the second one: the right state each time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest
from django.utils import timezone
from pytest_django import Settings

from core.tests.ports import free_port
from notifications import services
from notifications.models import Message
from notifications.tests.smtp import HANG, SmtpSink

Drain = Callable[..., int]
DAY: Final = timedelta(days=1)
FIRST_WAIT: Final = (timedelta(seconds=15), timedelta(seconds=40))


@dataclass(frozen=True)
class Fault:
    """What the server does to one mail, and what becomes of it."""

    name: str
    answers: str = ""
    answer: str = ""
    changes: tuple[tuple[str, Any], ...] = ()
    state: str = "queued"
    outcome: str = "deferred"
    copies: int = 1
    """How often the mail has arrived in the end."""


FAULTS: Final = (
    Fault("421 at RCPT", "answers_to_rcpt", "421 4.3.2 Shutting down"),
    Fault("421 at DATA", "answers_to_data", "421 4.3.2 Shutting down"),
    Fault("450 at RCPT", "answers_to_rcpt", "450 4.2.0 Greylisted"),
    Fault("450 at DATA", "answers_to_data", "450 4.2.0 Greylisted"),
    Fault("452 at DATA", "answers_to_data", "452 4.3.1 Disk full"),
    Fault("550 at RCPT", "answers_to_rcpt", "550 5.1.1 No such user", state="failed", outcome="refused", copies=0),
    Fault("554 at DATA", "answers_to_data", "554 5.7.1 Unwanted", state="failed", outcome="refused", copies=0),
    Fault("hang after DATA", "answers_to_data", HANG, copies=2),
    Fault("no TLS", changes=(("tls", "starttls"),)),
    Fault("not there", changes=(("port", None),)),
)


@pytest.mark.parametrize("place", ["the only server", "the second server"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_no_of_a_server_leaves_the_mail_in_the_right_state(
    fault: Fault, place: str, drain: Drain, smtp_sink: SmtpSink, settings: Settings
) -> None:
    well = smtp_sink.server
    nowhere = {**well, "port": free_port()}
    faulty = {**well, **{name: value or free_port() for name, value in fault.changes}}
    if fault.answer == HANG:
        faulty["timeout"] = 1.0
    _use(settings, faulty, place, nowhere)
    if fault.answers:
        getattr(smtp_sink, fault.answers).append(fault.answer)
    message = services.send("account.welcome", address="ada@example.com")

    drain()
    message.refresh_from_db()
    assert (message.state, message.attempts.get().outcome) == (fault.state, fault.outcome)
    assert _is_tried_again_in_time(message) == (fault.state == "queued")

    _use(settings, well, place, nowhere)
    drain(ahead=DAY)
    message.refresh_from_db()
    assert message.state == ("sent" if fault.copies else "failed")
    assert [mail["Message-ID"] for mail in smtp_sink.mails] == [message.message_id] * fault.copies


def _use(settings: Settings, server: dict[str, Any], place: str, nowhere: dict[str, Any]) -> None:
    settings.MAIL = server if place == "the only server" else nowhere
    settings.MAIL_FALLBACK = {} if place == "the only server" else server


def _is_tried_again_in_time(message: Message) -> bool:
    if message.next_try_at is None:
        return False
    shortest, longest = FIRST_WAIT
    return shortest < message.next_try_at - timezone.now() < longest
