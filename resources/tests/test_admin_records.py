"""One resource in the admin, and several at once: transitions, transfer, shares, versions, removing for good."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.permissions import Caller
from core.tests.spine import Events
from resources.access import Level
from resources.models import Resource, ResourceVersion, Share
from resources.services.bin import move_to_bin
from resources.services.records import Content, patch_resource
from resources.services.records import create_resource as make_resource
from resources.tests.factories import create_resource, create_type, share

BrowserOf = Callable[[User], Client]

LIST = "/admin/resources/resource/"
WORKFLOW = {
    "initial": "draft",
    "states": ["draft", "sent", "paid"],
    "transitions": [
        {"name": "send", "from": ["draft"], "to": "sent", "require": ["total"]},
        {"name": "pay", "from": ["sent"], "to": "paid", "allow": ["role:moderator"]},
    ],
}


@pytest.fixture
def bill(owner: User) -> Resource:
    """A bill of the owner's with two versions."""
    create_type("bill", workflow=WORKFLOW)
    actor = Caller.of(owner)
    made = make_resource(actor=actor, content=Content(name="March", data={"total": 1, "note": "old"}), type_key="bill")
    return patch_resource(actor=actor, resource_id=made.pk, changes={"data": {"total": 99, "note": None}})


def press(browser: Client, bill: Resource, button: str, **fields: Any) -> str:
    """Press a button on the page of the resource; return the page that follows."""
    response = browser.post(f"{LIST}{bill.pk}/{button}/", fields, follow=True)
    assert response.redirect_chain == [(f"{LIST}{bill.pk}/change/", 302)]
    return response.content.decode()


def choose(browser: Client, action: str, *rows: Resource, where: str = "", **fields: Any) -> str:
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows], **fields}
    return str(browser.post(f"{LIST}?{where}", chosen, follow=True).content.decode())


def test_a_transition_is_a_button_for_whom_it_is_open_to(
    admin: User, moderator: User, owner: User, bill: Resource, browser_of: BrowserOf, events: Events
) -> None:
    by_admin, by_moderator = browser_of(admin), browser_of(moderator)

    assert "send: draft → sent" in by_admin.get(f"{LIST}{bill.pk}/change/").content.decode()
    assert "send: draft → sent" not in by_moderator.get(f"{LIST}{bill.pk}/change/").content.decode()
    assert "You may not do this." in press(by_moderator, bill, "transition", name="send")
    assert "Transition send made." in press(by_admin, bill, "transition", name="send")
    assert "Transition pay made." in press(by_moderator, bill, "transition", name="pay")
    assert "does not lead out of the state paid" in press(by_admin, bill, "transition", name="send")

    bill.refresh_from_db()
    assert bill.status == "paid"
    assert [event.actor for event in events("resource.transitioned")] == [admin.pk, moderator.pk]


def test_what_a_transition_lacks_is_said(admin: User, owner: User, browser_of: BrowserOf) -> None:
    create_type("bill", workflow=WORKFLOW)
    empty = create_resource(owner, type_id="bill", status="draft")

    page = browser_of(admin).get(f"{LIST}{empty.pk}/change/").content.decode()

    assert "needs data.total" in page


def test_a_resource_is_given_to_somebody_else(
    admin: User, moderator: User, stranger: User, bill: Resource, browser_of: BrowserOf, events: Events
) -> None:
    assert "You may not do this." in press(browser_of(moderator), bill, "transfer", owner=stranger.email)
    browser = browser_of(admin)
    assert "Nobody who can sign in" in press(browser, bill, "transfer", owner="nobody@example.com")
    assert "Nobody who can sign in" in press(browser, bill, "transfer", owner="")
    assert events("resource.transferred") == []

    assert "It has a new owner." in press(browser, bill, "transfer", owner=stranger.email.upper())

    bill.refresh_from_db()
    assert bill.owner == stranger
    assert [event.actor for event in events("resource.transferred")] == [admin.pk]


def test_shares_are_listed_and_removed(
    admin: User, moderator: User, stranger: User, bill: Resource, browser_of: BrowserOf, events: Events
) -> None:
    given = share(bill, stranger, Level.EDITOR)
    share(bill, moderator, Level.VIEWER)

    by_moderator = browser_of(moderator).get(f"{LIST}{bill.pk}/change/").content.decode()
    page = browser_of(admin).get(f"{LIST}{bill.pk}/change/").content.decode()
    refused = press(browser_of(moderator), bill, "unshare", share=given.pk)
    removed = press(browser_of(admin), bill, "unshare", share=given.pk)
    nonsense = press(browser_of(admin), bill, "unshare", share="x")

    assert "is shown to its managers" in by_moderator
    assert "stranger@example.com" not in by_moderator
    assert "stranger@example.com" in page
    assert "You may not do this." in refused
    assert "The share is gone" in removed
    assert "The share is gone" not in nonsense
    assert list(Share.objects.values_list("user__email", flat=True)) == ["moderator@example.com"]
    assert [event.actor for event in events("share.removed")] == [admin.pk]


def test_versions_are_compared_and_brought_back(
    admin: User, bill: Resource, browser_of: BrowserOf, events: Events
) -> None:
    browser = browser_of(admin)

    response: Any = browser.get(f"{LIST}{bill.pk}/versions/?from=1&to=2")
    differences = response.context_data["comparison"].differences
    latest: Any = browser.get(f"{LIST}{bill.pk}/versions/")
    missing = browser.get(f"{LIST}{bill.pk}/versions/?from=1&to=7").content.decode()

    assert [(row.path, row.was_there and row.before, row.is_there and row.after) for row in differences] == [
        ("data.note", "old", False),
        ("data.total", 1, 99),
    ]
    assert latest.context_data["comparison"].after == 2
    assert "One of these versions is not there." in missing
    assert "The content is that of version 1 again." in press(browser, bill, "revert", version="1")
    assert "There is no such version." in press(browser, bill, "revert", version="77")
    bill.refresh_from_db()
    assert (bill.data, bill.version) == ({"total": 1, "note": "old"}, 3)
    assert ResourceVersion.objects.filter(resource=bill, actor=admin, action="reverted").count() == 1


def test_a_long_history_comes_by_pages(admin: User, owner: User, browser_of: BrowserOf) -> None:
    row = create_resource(owner, version=120)
    ResourceVersion.objects.bulk_create(
        ResourceVersion(
            resource=row, number=number, action="updated", snapshot={"name": str(number), "data": {}}, changed=["name"]
        )
        for number in range(1, 121)
    )
    browser = browser_of(admin)

    first: Any = browser.get(f"{LIST}{row.pk}/versions/")
    last: Any = browser.get(f"{LIST}{row.pk}/versions/?before=21")

    assert [first.context_data["versions"][place].number for place in (0, -1)] == [120, 71]
    assert first.context_data["older"] == 71
    assert [version.number for version in last.context_data["versions"]] == list(range(20, 0, -1))
    assert last.context_data["older"] is None


def test_several_make_a_transition_after_a_page_that_asks_which(
    admin: User, owner: User, bill: Resource, browser_of: BrowserOf
) -> None:
    browser = browser_of(admin)
    thing = create_resource(owner, name="Thing")

    asked = choose(browser, "make_transitions", bill, thing)
    nonsense = choose(browser, "make_transitions", bill, thing, answered="1", name="fly")
    done = choose(browser, "make_transitions", bill, thing, answered="1", name="send")
    without = choose(browser, "make_transitions", thing)

    assert "send (bill: draft → sent)" in asked
    assert "Select a valid choice" in nonsense
    assert "1 resources: send." in done
    assert "Thing: The workflow of this type has no such transition." in done
    assert "None of these types has a workflow" in without
    bill.refresh_from_db()
    assert bill.status == "sent"


def test_several_are_given_to_somebody_else(
    admin: User, owner: User, stranger: User, bill: Resource, browser_of: BrowserOf
) -> None:
    browser = browser_of(admin)
    thing = create_resource(owner, name="Thing")

    assert "New owner" in choose(browser, "transfer", bill, thing)
    assert "2 resources have a new owner." in choose(
        browser, "transfer", bill, thing, answered="1", owner=stranger.email
    )

    assert set(Resource.objects.values_list("owner__email", flat=True)) == {stranger.email}


def test_removing_for_good_asks_first_and_works_in_the_bin_too(
    admin: User, moderator: User, owner: User, bill: Resource, browser_of: BrowserOf, events: Events
) -> None:
    thing = create_resource(owner, name="Thing")
    move_to_bin(actor=Caller.of(owner), resource_id=thing.pk)
    browser = browser_of(admin)

    choose(browser_of(moderator), "destroy", bill, answered="1")
    asked = choose(browser, "destroy", bill)
    assert "nothing brings them back" in asked
    assert Resource.all_objects.count() == 2

    assert "1 resources removed for good." in choose(browser, "destroy", bill, answered="1")
    assert "1 resources removed for good." in choose(browser, "destroy", thing, where="place=bin", answered="1")

    assert Resource.all_objects.count() == ResourceVersion.objects.count() == 0
    assert [event.actor for event in events("resource.destroyed")] == [admin.pk, admin.pk]


def test_too_many_at_once_are_none(admin: User, owner: User, browser_of: BrowserOf, events: Events) -> None:
    rows = Resource.objects.bulk_create(Resource(owner=owner, name=f"Thing {number}") for number in range(501))

    page = choose(browser_of(admin), "delete_them", rows[0], select_across="1")

    assert "Choose 500 at most; nothing was changed." in page
    assert Resource.objects.count() == 501
    assert events("resource.*") == []


def test_a_list_is_filtered_by_type_and_state(admin: User, owner: User, bill: Resource, browser_of: BrowserOf) -> None:
    create_resource(owner, name="Thing")
    browser = browser_of(admin)

    def listed(query: str) -> tuple[set[str], list[str]]:
        page: Any = browser.get(f"{LIST}?{query}")
        changes = page.context_data["cl"]
        (states,) = [spec.lookup_choices for spec in changes.filter_specs if spec.parameter_name == "status"]
        return {row.name for row in changes.result_list}, [state for state, _ in states]

    assert listed("") == ({"March", "Thing"}, ["draft", "sent", "paid", "active"])
    assert listed("type=bill&status=draft") == ({"March"}, ["draft", "sent", "paid"])
    assert listed("type=bill&status=sent") == (set(), ["draft", "sent", "paid"])
    assert listed("status=active") == ({"Thing"}, ["draft", "sent", "paid", "active"])
