"""Staff's page of the servers of others: what for, where, how they stand; never a secret."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import Connection, Role, User
from accounts.tests.factories import create_user
from core.breaker import Policy, breaker
from core.integrations import Integration, registered
from core.tests.files import use_s3
from core.tests.spine import Drain
from notifications.models.devices import WEB, Device

pytestmark = pytest.mark.django_db

BrowserOf = Callable[[Any], Client]
PAGE = "/admin/integrations/"
THEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
MAIL = {
    "scheme": "smtp",
    "host": "mail.example",
    "port": 587,
    "user": "u",
    "password": "tell-nobody",
    "tls": "starttls",
}
PROVIDER = {"client_id": "id", "client_secret": "tell-nobody", "issuer": "https://id.example/realm", "name": "Acme"}


@pytest.fixture
def _everything(settings: Settings) -> None:
    """Every server of others is set up, and every secret is the same word."""
    settings.MAIL_FALLBACK = MAIL
    settings.SMS = {
        "base_url": "https://sms.example",
        "account": "AC",
        "token": "tell-nobody",
        "sender": "+15005550006",
    }
    settings.VAPID_PRIVATE_KEY = settings.FCM_SERVICE_ACCOUNT = settings.APNS_KEY = "tell-nobody"
    settings.ALERT_URLS = ["slack://tell-nobody/tell-nobody/tell-nobody"]
    settings.HEARTBEAT_URL = "https://watch.example/tell-nobody"
    settings.OAUTH_PROVIDERS, settings.OAUTH_REDIRECT_URIS = {"acme": PROVIDER}, ["https://app.example.com/back"]
    settings.CLAMD = {"host": "clamd.example", "port": 3310}
    use_s3(settings, "http://s3.example:9000")


def found() -> dict[str, Integration]:
    return {one.name: one for one in registered()}


@pytest.mark.usefixtures("_everything")
def test_everything_that_is_set_up_is_shown_without_a_secret(admin: User, browser_of: BrowserOf) -> None:
    page = browser_of(admin).get(PAGE)

    text = page.content.decode()
    assert page.status_code == 200
    places = ["mail.example:587", "sms.example", "fcm.googleapis.com", "api.push.apple.com", "slack", "watch.example"]
    assert [
        place for place in [*places, "id.example", "clamd.example:3310", "s3.example:9000, nook"] if place not in text
    ] == []
    assert "tell-nobody" not in text


def test_what_is_not_set_up_is_shown_as_not_used_and_last(settings: Settings) -> None:
    settings.SMS = {}

    assert found()["Text messages"].state == "not used"
    assert [bool(one.place) for one in registered()] == sorted((bool(one.place) for one in registered()), reverse=True)


@pytest.mark.usefixtures("_everything")
def test_who_is_left_alone_is_shown_so(admin: User, browser_of: BrowserOf) -> None:
    with pytest.raises(ZeroDivisionError), breaker("http:sms.example", policy=Policy(failures=1)):
        raise ZeroDivisionError

    assert (found()["Text messages"].state, found()["Acme"].state) == ("open", "closed")
    assert 'class="nook-bad"' in browser_of(admin).get(PAGE).content.decode()


@pytest.mark.usefixtures("_everything")
def test_when_it_last_did_its_work_is_known(owner: User, anonymous: Client, drain: Drain) -> None:
    Connection.objects.create(user=owner, provider="acme", issuer="i", subject="s", last_used_at=THEN)
    times = {"last_registered_at": THEN, "last_reached_at": THEN}
    Device.objects.create(user=owner, platform=WEB, address="a", address_digest=b"d" * 32, **times)
    assert found()["Mail"].last_success is None
    anonymous.post("/api/v1/auth/forgot-password", {"email": owner.email})
    drain()

    known = found()

    assert (known["Acme"].last_success, known["Web Push"].last_success) == (THEN, THEN)
    assert known["Mail"].last_success is not None
    assert known["Text messages"].last_success is None


def test_the_page_is_for_those_who_see_dead_letters(browser_of: BrowserOf, admin: User) -> None:
    Role.objects.create(name="clerk", permissions=["read:user"])
    clerk = create_user("clerk", email="clerk@example.com", name="Clerk")

    assert browser_of(clerk).get(PAGE).status_code == 403
    assert Client().get(PAGE).status_code == 302


def test_the_page_costs_as_many_statements_whatever_there_is(
    admin: User, owner: User, browser_of: BrowserOf, anonymous: Client, drain: Drain
) -> None:
    browser = browser_of(admin)
    with CaptureQueriesContext(
        connection,
    ) as few:
        browser.get(PAGE)
    for _ in range(3):
        anonymous.post("/api/v1/auth/forgot-password", {"email": owner.email})
    drain()

    with CaptureQueriesContext(connection) as many:
        browser.get(PAGE)

    assert len(many) == len(few)
