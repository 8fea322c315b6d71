"""Watches and saved views in the admin: for administrators, to read."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from resources.models import Resource, SavedView, Watch
from resources.tests.factories import create_resource

BrowserOf = Callable[[User], Client]
WATCHES = "/admin/resources/watch/"
VIEWS = "/admin/resources/savedview/"


def rows(browser: Client, path: str) -> list[Any]:
    response: Any = browser.get(path)
    assert response.status_code == 200, path
    return list(response.context_data["cl"].result_list)


@pytest.fixture
def browser(browser_of: BrowserOf, admin: User) -> Client:
    return browser_of(admin)


def test_watches_are_found_by_follower_and_by_resource(browser: Client, owner: User, stranger: User) -> None:
    first, second = create_resource(owner, name="First"), create_resource(owner, name="Second")
    for user, row in ((owner, first), (stranger, first), (stranger, second)):
        Watch.objects.create(user=user, resource=row)
    Resource.all_objects.filter(id=second.id).update(deleted_at=timezone.now())

    found = {
        query: sorted(
            (row.user.email, row.resource.name, row.number_of_followers) for row in rows(browser, WATCHES + query)
        )
        for query in (
            "",
            f"?q={owner.email.upper()}",
            f"?q={first.id}",
            "?q=nobody",
            "?resource_is=binned",
            "?resource_is=live",
        )
    }

    of_first = [(owner.email, "First", 2), (stranger.email, "First", 2)]
    of_second = [(stranger.email, "Second", 1)]
    assert found[""] == sorted(of_first + of_second)
    assert list(found.values())[1:] == [of_first[:1], of_first, [], of_second, of_first]


def test_saved_views_are_found_by_name_and_owner(browser: Client, owner: User, stranger: User) -> None:
    SavedView.objects.create(owner=owner, name="Mine", filters={"owner": "me", "tag": ["a", "b"]})
    SavedView.objects.create(owner=owner, name="Open invoices", filters={}, shared=True)
    SavedView.objects.create(owner=stranger, name="Theirs")

    found = {
        query: sorted((row.name, row.number_of_views) for row in rows(browser, VIEWS + query))
        for query in ("", "?q=invoi", f"?q={stranger.email}", "?shared__exact=1")
    }

    assert list(found.values()) == [
        [("Mine", 2), ("Open invoices", 2), ("Theirs", 1)],
        [("Open invoices", 2)],
        [("Theirs", 1)],
        [("Open invoices", 2)],
    ]
    mine = SavedView.objects.get(name="Mine")
    shown = unescape(browser.get(f"{VIEWS}{mine.pk}/change/").content.decode())
    assert "tag=a&tag=b&owner=me" in shown


@pytest.mark.parametrize("path", [WATCHES, VIEWS])
def test_nobody_else_sees_them_and_nobody_changes_them(
    browser: Client, browser_of: BrowserOf, moderator: User, owner: User, path: str
) -> None:
    watch = Watch.objects.create(user=owner, resource=create_resource(owner))
    view = SavedView.objects.create(owner=owner, name="Mine")
    one = f"{path}{watch.pk if path == WATCHES else view.pk}"

    assert browser_of(moderator).get(path).status_code == 403
    assert browser.get(f"{path}add/").status_code == 403
    assert browser.post(f"{one}/change/", {"name": "Taken"}).status_code == 403
    assert browser.post(f"{one}/delete/", {"post": "yes"}).status_code == 403
    assert (Watch.objects.count(), SavedView.objects.get().name) == (1, "Mine")
