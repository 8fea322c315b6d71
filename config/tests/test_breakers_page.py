"""Staff's page of breakers: what is left alone and since when, and the switch, which is an event."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from core.breaker import Policy, breaker, standings, state_of
from core.models import Event

BrowserOf = Callable[[Any], Client]
PAGE = "/admin/breakers/"
NAME = "http:pager.example"

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["shared", "without redis"])
def _tripped(request: pytest.FixtureRequest, settings: Settings) -> None:
    """A breaker that is open, in Redis and in this process alone."""
    if request.param == "without redis":
        settings.STATE_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(ZeroDivisionError), breaker(NAME, policy=Policy(failures=1)):
        raise ZeroDivisionError


@pytest.mark.usefixtures("_tripped")
def test_staff_see_who_is_left_alone_and_since_when_and_have_them_asked_again(
    admin: User, browser_of: BrowserOf, events: Callable[..., list[Event]]
) -> None:
    browser = browser_of(admin)
    (standing,) = [one for one in standings() if one.name == NAME]
    assert standing.since is not None
    assert datetime.now(UTC) - standing.since < timedelta(seconds=30)
    assert timedelta(0) < standing.tried_in <= timedelta(seconds=15)

    page = browser.get(PAGE).content.decode()
    assert NAME in page
    assert f"{standing.since:%Y-%m-%d %H:%M:%S}" in page
    closed = browser.post(PAGE, {"name": NAME, "do": "close"}, follow=True).content.decode()

    assert f"{NAME} is asked again." in closed
    assert state_of(NAME) == "closed"
    (event,) = events("breaker.closed")
    assert (event.actor, event.payload) == (admin.pk, {"name": NAME, "before": {"state": "open"}})


@pytest.mark.usefixtures("_tripped")
def test_staff_leave_somebody_alone_for_an_hour(
    admin: User, browser_of: BrowserOf, events: Callable[..., list[Event]]
) -> None:
    browser = browser_of(admin)
    browser.post(PAGE, {"name": NAME, "do": "close"})
    browser.post(PAGE, {"name": NAME, "do": "open"})

    (standing,) = [one for one in standings() if one.name == NAME]
    assert (standing.state, standing.tried_in > timedelta(minutes=59)) == ("open", True)
    assert [event.payload["before"] for event in events("breaker.opened")] == [{"state": "closed"}]


@pytest.mark.usefixtures("_tripped")
def test_who_may_not_switches_nothing(
    admin: User, moderator: User, browser_of: BrowserOf, events: Callable[..., list[Event]]
) -> None:
    for browser in (browser_of(moderator), Client()):
        answers = [browser.get(PAGE), browser.post(PAGE, {"name": NAME, "do": "close"})]
        assert all(NAME not in answer.content.decode() for answer in answers)
    unknown = browser_of(admin).post(PAGE, {"name": "http:nobody.example", "do": "open"}, follow=True)

    assert "There is no such breaker any more." in unknown.content.decode()
    assert (state_of(NAME), events("breaker.*")) == ("open", [])
    assert state_of("http:nobody.example") == "closed"


def test_the_sidebar_leads_there(admin: User, browser_of: BrowserOf) -> None:
    assert PAGE in browser_of(admin).get("/admin/").content.decode()
