"""Staff are told once that something is wrong, and once that it is over: in their inboxes and in a real chat."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from core.breaker import breaker
from core.models import DeadLetter, OutboxRow
from notifications.models import Alert, Notification
from notifications.services import alerts
from notifications.tasks import watch_operations
from notifications.tests.receiver import Receiver, Reply
from notifications.tests.smtp import SmtpSink

Drain = Callable[..., int]
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _calm(settings: Settings) -> None:
    settings.ALERT_DEAD_LETTERS_PER_HOUR = 2
    settings.ALERT_URLS = []


def give_up(number: int) -> None:
    now = timezone.now()
    DeadLetter.objects.bulk_create(
        DeadLetter(outbox_id=index, task="a.task", queue="default", attempts=1, reason="x", first_at=now)
        for index in range(number)
    )


def told(person: Any) -> list[str]:
    rows = Notification.objects.filter(user=person, kind="ops.alert").order_by("created_at")
    return [row.context["title"] for row in rows]


def chat_of(receiver: Receiver) -> str:
    return f"json://127.0.0.1:{receiver.server_port}/alerts"


def test_an_alert_is_told_once_until_it_is_over(
    admin: Any, owner: Any, moderator: Any, drain: Drain, smtp_sink: SmtpSink
) -> None:
    give_up(2)
    for _ in range(3):
        watch_operations()
    drain()

    assert told(admin) == ["Tasks are given up"]
    assert [mail["To"] for mail in smtp_sink.mails] == [admin.email]
    assert (told(owner), told(moderator)) == ([], [])

    DeadLetter.objects.update(last_at=timezone.now() - timedelta(hours=2))
    for _ in range(3):
        watch_operations()
    assert told(admin) == ["Tasks are given up", "Over: Tasks are given up"]
    assert Alert.objects.get().over_at is not None

    DeadLetter.objects.update(last_at=timezone.now())
    assert alerts.watch() == (1, 0)


def test_work_that_waits_too_long_is_told(admin: Any) -> None:
    row = OutboxRow.objects.create(task="core.tasks.purge_expired", queue="default", kwargs={})
    assert alerts.watch() == (0, 0)

    OutboxRow.objects.filter(pk=row.pk).update(due_at=timezone.now() - timedelta(minutes=6))
    assert alerts.watch() == (1, 0)
    assert told(admin) == ["Background work waits"]


def test_a_breaker_that_is_open_is_told_until_it_closes(admin: Any) -> None:
    for name in ["smtp:mail.example:25", "webhook:of-somebody", "push:https://of.somebody"] * 5:
        with pytest.raises(OSError, match="away"), breaker(name):
            raise OSError("away")

    assert alerts.watch() == (1, 0)
    assert told(admin) == ["smtp:mail.example:25 does not answer"]


def test_a_chat_hears_of_it_too(admin: Any, drain: Drain, receiver: Receiver, settings: Settings) -> None:
    settings.ALERT_URLS = [chat_of(receiver)]
    give_up(2)
    alerts.watch()
    drain()

    (message,) = receiver.messages
    assert (message.path, message.json["title"]) == ("/alerts", "Tasks are given up")
    assert message.json["message"].startswith("2 tasks were given up within an hour.")


def test_a_chat_that_is_away_is_told_later_and_the_others_once(
    admin: Any, drain: Drain, receivers: Any, settings: Settings
) -> None:
    away, there = receivers(), receivers()
    away.replies.append(Reply(503))
    settings.ALERT_URLS = [chat_of(away), chat_of(there)]
    give_up(2)
    alerts.watch()
    drain()
    assert (len(away.messages), len(there.messages)) == (1, 1)

    drain(ahead=DAY)
    assert (len(away.messages), len(there.messages)) == (2, 1)


def test_a_chat_that_hangs_holds_a_worker_no_longer_than_its_time(
    admin: Any, drain: Drain, receiver: Receiver, settings: Settings
) -> None:
    settings.ALERT_URLS, settings.ALERT_TIMEOUT_SECONDS = [chat_of(receiver)], 0.2
    receiver.replies.append(Reply(pause=1))
    give_up(2)
    alerts.watch()
    began = timezone.now()
    drain()

    assert timezone.now() - began < timedelta(seconds=5)
    assert OutboxRow.objects.filter(task="notifications.tasks.tell_chat").exists()


def test_a_chat_sends_us_nowhere_else(admin: Any, drain: Drain, receivers: Any, settings: Settings) -> None:
    chat, other = receivers(), receivers()
    chat.always = Reply(307, headers=(("Location", other.url),))
    settings.ALERT_URLS = [chat_of(chat)]
    give_up(2)
    alerts.watch()
    drain()

    assert (len(chat.messages), len(other.messages)) == (1, 0)


def test_an_address_that_is_none_is_given_up_and_never_written_down(
    admin: Any, drain: Drain, settings: Settings
) -> None:
    settings.ALERT_URLS = ["nonsense://secret-token@nowhere"]
    give_up(2)
    alerts.watch()
    drain()

    letter = DeadLetter.objects.get(task="notifications.tasks.tell_chat")
    assert letter.reason == "the address 1 of ALERT_URLS is none that apprise knows"
    assert "secret-token" not in letter.traceback


def test_what_is_long_over_is_forgotten(db: None) -> None:
    long_ago = timezone.now() - timedelta(days=366)
    Alert.objects.create(cause="old", title="Old", text="", over_at=long_ago)
    Alert.objects.create(cause="on", title="On", text="")

    assert alerts.purge_alerts() == 1
    assert Alert.objects.get().cause == "on"
