"""What waits: through quiet hours, and for a digest; let go once, whatever dies, and only if it still matters."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from django.test import Client

from core.tests.spine import Drain
from notifications.models import COLLECTED, COLLECTING, HELD, Message, NotificationPreferences
from notifications.services import News, notify, release_messages, send
from notifications.tests.smtp import SmtpSink, text_of

ClientOf = Callable[[Any], Client]
SHARED = {"giver": "Olive Owner", "resource": "March", "access": "viewer"}

pytestmark = pytest.mark.django_db


def now_quiet(user: Any) -> None:
    """Let it be quiet for the user for two hours yet."""
    now = datetime.now(UTC)
    begin, end = (now - timedelta(hours=1)).time(), (now + timedelta(hours=2)).time()
    NotificationPreferences.objects.create(user=user, quiet_from=begin, quiet_until=end)


def wait_is_over() -> None:
    Message.objects.filter(not_before__isnull=False).update(not_before=F("created_at"))


def share(user: Any, resource: str = "March") -> None:
    notify(News("resource.shared", {**SHARED, "resource": resource}), to=[user.pk])


def states() -> list[str]:
    return list(Message.objects.order_by("id").values_list("state", flat=True))


def test_quiet_hours_hold_a_mail_and_not_the_inbox(
    owner: Any, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    now_quiet(owner)
    share(owner)
    drain()
    release_messages()
    drain()

    assert (smtp_sink.mails, states()) == ([], [HELD])
    (row,) = client_of(owner).get("/api/v1/notifications").json()["data"]
    way = client_of(owner).get(f"/api/v1/notifications/{row['id']}/deliveries").json()["data"][1]
    assert (way["state"], way["digest"], way["not_before"] is not None) == ("queued", False, True)
    wait_is_over()
    assert (release_messages(), release_messages()) == (1, 0)
    drain()
    assert (len(smtp_sink.to(owner.email)), states()) == (1, ["sent"])


def test_what_is_about_safety_does_not_wait(owner: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    now_quiet(owner)
    NotificationPreferences.objects.update(digest="daily")
    notify(News("account.password_changed"), to=[owner.pk])
    send("account.password_reset", to=owner.pk, context={"link": "https://nook.example/?token=1"})
    notify(News("account.welcome"), to=[owner.pk])
    drain()

    assert len(smtp_sink.to(owner.email)) == 3


def test_what_waited_goes_to_the_address_of_by_then(owner: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    now_quiet(owner)
    share(owner)
    type(owner).objects.update(email="moved@example.com")
    wait_is_over()
    release_messages()
    drain()

    assert [mail["To"] for mail in smtp_sink.mails] == ["moved@example.com"]


def test_a_digest_is_one_mail_of_all_that_happened(
    owner: Any, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    NotificationPreferences.objects.create(user=owner, digest="hourly")
    for resource in ("March", "April", "May"):
        share(owner, resource)
    drain()
    assert (smtp_sink.mails, states()) == ([], [COLLECTING] * 3)
    wait_is_over()

    assert (release_messages(), release_messages()) == (1, 0)
    drain()

    (mail,) = smtp_sink.mails
    assert mail["Subject"] == "What happened at Nook Link: 3 things"
    assert text_of(mail).index("“March”") < text_of(mail).index("“April”") < text_of(mail).index("“May”")
    assert "List-Unsubscribe" in mail
    assert states() == [COLLECTED] * 3 + ["sent"]
    client = client_of(owner)
    for row in client.get("/api/v1/notifications").json()["data"]:
        way = client.get(f"/api/v1/notifications/{row['id']}/deliveries").json()["data"][1]
        assert (way["state"], way["digest"], len(way["attempts"])) == ("sent", True, 1)


def test_a_release_that_dies_lets_nothing_go_and_the_next_lets_go_all(
    owner: Any, drain: Drain, smtp_sink: SmtpSink
) -> None:
    NotificationPreferences.objects.create(user=owner, digest="daily")
    share(owner)
    wait_is_over()
    with transaction.atomic():
        assert release_messages() == 1
        transaction.set_rollback(True)

    assert (states(), drain()) == ([COLLECTING], 0)
    release_messages()
    drain()
    assert len(smtp_sink.mails) == 1


def test_a_digest_leaves_out_what_was_switched_off_meanwhile(owner: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    preferences = NotificationPreferences.objects.create(user=owner, digest="daily")
    share(owner)
    notify(News("system.broadcast", {"title": "News", "text": "All is well."}), to=[owner.pk])
    preferences.choices = {"resource.shared": {"email": False}}
    preferences.save()
    wait_is_over()
    release_messages()
    drain()

    (mail,) = smtp_sink.mails
    assert "All is well." in text_of(mail)
    assert "March" not in text_of(mail)
    assert states() == ["suppressed", COLLECTED, "sent"]


@pytest.mark.parametrize("digest", ["off", "daily"])
def test_whoever_is_gone_when_the_wait_ends_gets_nothing(
    owner: Any, drain: Drain, smtp_sink: SmtpSink, digest: str
) -> None:
    now_quiet(owner)
    NotificationPreferences.objects.update(digest=digest)
    share(owner)
    type(owner).objects.update(is_active=False)
    wait_is_over()
    release_messages()
    drain()

    assert (smtp_sink.mails, states()) == ([], ["suppressed"])
