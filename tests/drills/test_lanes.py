"""A provider that hangs holds up nobody else: mails go on while text messages wait for an answer, and the reverse."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from kombu.connection import Connection
from pytest_django import Settings

from core import relay
from core.models import DeadLetter
from core.tests.processes import WorkerProcess
from core.tests.test_outages import eventually, in_background
from notifications import services
from notifications.models import Message
from tests.drills.books import Script, Trouble
from tests.drills.peers import EMAIL, SMS, Peers
from tests.drills.reckoning import report

pytestmark = [pytest.mark.drill, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

HUNG_ONES, BEFORE, DURING, PAUSE = 40, 30, 80, 0.25
CODE = {"code": "123456"}


def hanging(channel: str) -> Script:
    return lambda asked, name, times: Trouble.HANG if asked == channel else Trouble.NONE


def text(number: int) -> Message:
    return services.send("account.phone_code", address=f"+4366{number:08}", context=CODE)


def mail(number: int) -> Message:
    return services.send("account.welcome", address=f"ada{number}@example.com")


@pytest.mark.parametrize(
    ("hung", "write_hung", "well", "write"), [(SMS, text, EMAIL, mail), (EMAIL, mail, SMS, text)], ids=[SMS, EMAIL]
)
def test_a_provider_that_hangs_holds_up_no_other(
    db: Any,
    broker: Connection,
    settings: Settings,
    hung: str,
    write_hung: Callable[[int], Message],
    well: str,
    write: Callable[[int], Message],
) -> None:
    settings.OUTBOX_LEASE_SECONDS = settings.OUTBOX_RESEND_SECONDS = 2.0
    peers = Peers()
    peers.books.script = hanging(hung)
    environment = peers.environment() | {"EMAIL_TIMEOUT_SECONDS": "10", "SMS_TIMEOUT_SECONDS": "10"}
    process, working = relay.Relay(), WorkerProcess(**environment)
    try:
        with in_background(process.run, process.stop):
            write(0)
            eventually(lambda: not unsent(well), within=60)
            before = delays_of(_written(write, range(1, BEFORE)), well)
            for number in range(HUNG_ONES):
                write_hung(number)
            during = delays_of(_written(write, range(BEFORE, BEFORE + DURING)), well)
    finally:
        working.stop()
        peers.stop()

    measured = {"p99_before_s": p99(before), "p99_during_s": p99(during), "most_s": during[-1]}
    report(f"{hung} hangs, {well} goes on, a worker with one child", measured)
    assert p99(during) - p99(before) < 5
    assert Message.objects.filter(channel=hung, attempt_count__gt=0).count() > 5
    assert not DeadLetter.objects.exists()


def unsent(channel: str) -> bool:
    return Message.objects.filter(channel=channel).exclude(state="sent").exists()


def delays_of(messages: list[Message], channel: str) -> list[float]:
    """Return how long each of the messages took to be sent, the quickest first."""
    eventually(lambda: not unsent(channel), within=120)
    rows = Message.objects.filter(id__in=[message.id for message in messages]).values_list("sent_at", "created_at")
    return sorted(round((sent_at - created_at).total_seconds(), 2) for sent_at, created_at in rows if sent_at)


def p99(delays: list[float]) -> float:
    return delays[-1 - len(delays) // 100]


def _written(write: Callable[[int], Message], numbers: range) -> list[Message]:
    messages = []
    for number in numbers:
        messages.append(write(number))
        time.sleep(PAUSE)
    return messages
