"""STOP and START, as people text them: the number goes on the suppression list, and comes off it again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from core.models import Event
from notifications.models import InboundWebhook, SuppressedAddress
from notifications.services import inbound, suppression
from notifications.tests.test_text_reports import NUMBER, signature
from notifications.tests.twilio import SENDER, TOKEN, SmsSink

Drain = Callable[..., int]
Events = Callable[..., list[Event]]
PATH = "/api/v1/webhooks/in/sms"
STOPPED = [(NUMBER, "complaint")]

pytestmark = pytest.mark.django_db


def text(body: str, *, sid: str = "SM1", token: str = TOKEN, **more: str) -> Any:
    """Tell of a text message to us as the provider does."""
    form = {"MessageSid": sid, "SmsStatus": "received", "From": NUMBER, "To": SENDER, "Body": body, **more}
    headers = {"X-Twilio-Signature": signature(f"https://nook.example{PATH}", form, token)}
    return Client().post(PATH, urlencode(form), "application/x-www-form-urlencoded", headers=headers)


def listed() -> list[tuple[str, str]]:
    return list(SuppressedAddress.objects.order_by("created_at").values_list("address", "reason"))


@pytest.mark.parametrize("word", ["STOP", " stop\n", "StopAll", "unsubscribe", "CANCEL", "End", "quit"])
def test_whoever_says_stop_is_sent_nothing_more_and_staff_see_why(
    word: str, drain: Drain, sms_sink: SmsSink, events: Events
) -> None:
    assert text(word).status_code == 202
    drain()

    assert listed() == STOPPED
    assert SuppressedAddress.objects.get().detail == f"sms.received: {word.strip().upper()}"
    assert [event.payload["reason"] for event in events("suppression.added")] == ["complaint"]


@pytest.mark.parametrize("word", ["START", "yes", "Unstop"])
def test_whoever_says_start_is_sent_texts_again(word: str, drain: Drain, sms_sink: SmsSink, events: Events) -> None:
    text("STOP")
    text(word, sid="SM2")
    drain()

    assert listed() == []
    assert len(events("suppression.removed")) == 1


def test_start_takes_back_no_bounce(drain: Drain, sms_sink: SmsSink) -> None:
    suppression.suppress(NUMBER, reason="bounce", detail="30006")
    text("STOP")
    text("START", sid="SM2")
    drain()

    assert listed() == [(NUMBER, "bounce")]


@pytest.mark.parametrize("body", ["HELP", "INFO", "Please stop", "STOP it", "", "Yes, please"])
def test_anything_else_changes_nothing(body: str, drain: Drain, sms_sink: SmsSink) -> None:
    suppression.suppress("+43664999", reason="complaint", detail="")
    text(body)
    text(body, sid="SM2", From="+43664999")
    drain()

    assert listed() == [("+43664999", "complaint")]
    assert set(InboundWebhook.objects.values_list("state", flat=True)) == {"handled"}


def test_the_provider_s_verdict_counts_for_words_of_a_service_s_own(
    drain: Drain, sms_sink: SmsSink, settings: Settings
) -> None:
    settings.SMS = {**settings.SMS, "sender": "", "messaging_service": "MG1"}
    text("ARRET", OptOutType="STOP", MessagingServiceSid="MG1")
    drain()

    assert listed() == STOPPED


def test_what_is_said_to_another_number_of_the_account_is_not_said_to_us(drain: Drain, sms_sink: SmsSink) -> None:
    text("STOP", To="+15005550009", MessagingServiceSid="MG9")
    drain()

    assert listed() == []


def test_what_the_provider_has_not_signed_changes_nothing(drain: Drain, sms_sink: SmsSink) -> None:
    suppression.suppress(NUMBER, reason="complaint", detail="")
    refused = text("START", token="of-another")
    drain()

    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "INVALID_SIGNATURE")
    assert (listed(), InboundWebhook.objects.count()) == (STOPPED, 0)


def test_a_word_that_is_told_again_years_later_is_known_and_what_it_said_is_not(
    drain: Drain, sms_sink: SmsSink
) -> None:
    text("STOP")
    text("START", sid="SM2")
    drain()
    InboundWebhook.objects.update(created_at=timezone.now() - timedelta(days=400))
    assert (inbound.purge_inbound(), inbound.purge_inbound()) == (2, 0)
    assert [(message.size, len(message.body)) for message in InboundWebhook.objects.all()] == [(0, 0)] * 2

    again = text("STOP")
    drain()

    assert (again.json()["data"]["duplicate"], listed()) == (True, [])
