from collections.abc import Callable

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.management import call_command
from django.db import transaction

from core import events as log
from core.models import Event, EventDelivery
from core.permissions import SYSTEM
from notifications.models import Message
from notifications.tests.smtp import SmtpSink

Drain = Callable[..., int]


def confirm(user: AbstractBaseUser) -> Event:
    with transaction.atomic():
        return log.publish("user.email_verified", subject=user, actor=SYSTEM)


def test_whoever_confirms_their_address_is_welcomed(owner: AbstractBaseUser, drain: Drain, smtp_sink: SmtpSink) -> None:
    confirm(owner)
    drain()

    assert [mail["Subject"] for mail in smtp_sink.to("owner@example.com")] == ["Welcome to Nook Link"]


def test_an_event_that_is_delivered_again_welcomes_nobody_twice(
    owner: AbstractBaseUser, drain: Drain, smtp_sink: SmtpSink
) -> None:
    event = confirm(owner)
    drain()

    log.promise(event.id, ["notifications.welcome"])
    drain()
    EventDelivery.objects.all().delete()
    log.promise(event.id, ["notifications.welcome"])
    drain()

    assert len(smtp_sink.mails) == 1
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)  # a replay reads only what is committed
def test_a_replay_of_the_log_welcomes_nobody_twice(
    owner: AbstractBaseUser, drain: Drain, smtp_sink: SmtpSink, capsys: pytest.CaptureFixture[str]
) -> None:
    confirm(owner)
    drain()

    call_command("replay_events", "--subscriber", "notifications.welcome", "--since", "2020-01-01")
    assert "Queued 1 events for notifications.welcome." in capsys.readouterr().out
    drain()

    assert len(smtp_sink.mails) == 1


def test_a_user_who_is_gone_is_not_written_to(owner: AbstractBaseUser, drain: Drain, smtp_sink: SmtpSink) -> None:
    confirm(owner)
    type(owner)._base_manager.filter(pk=owner.pk).delete()
    drain()

    assert smtp_sink.mails == []
