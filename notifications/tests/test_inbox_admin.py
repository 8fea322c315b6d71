"""Staff's pages of inboxes and preferences, and the one from which many are told."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.models import Job
from core.tests.spine import Drain
from notifications.models import Notification, NotificationPreferences
from notifications.services import News, notify
from notifications.tests.smtp import SmtpSink

BrowserOf = Callable[[Any], Client]
PAGE = "/admin/notifications/notification/broadcast/"
NEWS = {"title": "Maintenance", "text": "On Sunday.", "link": "", "role": ""}

pytestmark = pytest.mark.django_db


def test_a_broadcast_is_counted_then_confirmed(
    owner: Any, admin: Any, browser_of: BrowserOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    browser = browser_of(admin)

    counted = browser.post(PAGE, NEWS).content.decode()
    assert "<strong>2</strong> people would be told now." in counted
    assert not Job.objects.exists()
    stale = browser.post(PAGE, {**NEWS, "confirmed_count": "7"}).content.decode()
    assert "<strong>2</strong> people" in stale
    assert not Job.objects.exists()

    told = browser.post(PAGE, {**NEWS, "confirmed_count": "2"}, follow=True).content.decode()
    assert "2 people are being told." in told
    drain()
    assert Notification.objects.filter(kind="system.broadcast").count() == 2


def test_a_broadcast_says_how_many_get_no_mail(owner: Any, admin: Any, browser_of: BrowserOf) -> None:
    type(owner).objects.filter(pk=owner.pk).update(email_verified=False)

    counted = browser_of(admin).post(PAGE, NEWS).content.decode()

    assert "<strong>2</strong> people would be told now." in counted
    assert "1 of them get no mail: they have not confirmed their address." in counted


def test_who_may_not_send_has_no_such_page(admin: Any, moderator: Any, browser_of: BrowserOf) -> None:
    moderator.role.permissions = ["read:user"]
    moderator.role.save()
    browser = browser_of(moderator)

    assert browser.get(PAGE).status_code == 403
    assert browser.post(PAGE, {**NEWS, "confirmed_count": "2"}).status_code == 403
    assert not Job.objects.exists()


def test_staff_find_what_somebody_was_told_and_how_they_want_it(owner: Any, admin: Any, browser_of: BrowserOf) -> None:
    notify(News("system.broadcast", {"title": "News", "text": "All is well."}), to=[owner.pk])
    NotificationPreferences.objects.create(user=owner, digest="daily")
    browser = browser_of(admin)

    row = Notification.objects.get()
    found = browser.get("/admin/notifications/notification/", {"q": owner.email}).content.decode()
    assert f"/admin/notifications/notification/{row.pk}/change/" in found
    assert browser.get(f"/admin/notifications/notification/{row.pk}/change/").status_code == 200
    assert "daily" in browser.get("/admin/notifications/notificationpreferences/").content.decode()
