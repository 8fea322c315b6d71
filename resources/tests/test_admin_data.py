"""The data of a resource, written by staff on its page."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.permissions import Caller
from resources.models import Resource
from resources.services.records import Content, patch_resource
from resources.services.records import create_resource as make_resource
from resources.tests.factories import create_resource, create_type

BrowserOf = Callable[[User], Client]
Events = Callable[..., list[Any]]

SCHEMA = {
    "type": "object",
    "required": ["number"],
    "additionalProperties": False,
    "properties": {
        "number": {"type": "string"},
        "total": {"type": "number"},
        "iban": {"type": "string", "x-encrypted": True},
        "margin": {"type": "number", "x-read": ["admin"], "x-write": ["admin"]},
        "address": {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "string"}}},
        "pin": {"type": "object", "properties": {"password": {"type": "string"}}},
    },
}
DATA = {"number": "1", "total": 1, "iban": "DE1", "margin": 5, "address": {"city": "Bonn", "zip": "53111"}}


@pytest.fixture
def bill(admin: User, owner: User) -> Resource:
    create_type("bill", schema=SCHEMA)
    return make_resource(
        actor=Caller.of(admin), content=Content(name="March", data=DATA), type_key="bill", owner_id=owner.pk
    )


def page_of(resource: Resource) -> str:
    return f"/admin/resources/resource/{resource.pk}/change/"


def shown(browser: Client, resource: Resource) -> Any:
    """Return the data that stands in the form."""
    found = re.search(
        r'<textarea name="contents"[^>]*>(.*?)</textarea>', browser.get(page_of(resource)).text, re.DOTALL
    )
    assert found is not None
    return json.loads(unescape(found[1]))


def save(browser: Client, resource: Resource, data: Any, **fields: Any) -> str:
    typed = data if isinstance(data, str) else json.dumps(data)
    usual = {"name": "March", "visibility": "private", "description": "", "tags": "", "seen_version": resource.version}
    answer = browser.post(page_of(resource), {**usual, "contents": typed, **fields}, follow=True)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def read(client_of: Any, user: User, resource: Resource) -> Any:
    return client_of(user).get(f"/api/v1/resources/{resource.pk}").json()["data"]["data"]


def test_what_staff_type_is_what_the_owner_reads(
    admin: User, owner: User, bill: Resource, browser_of: BrowserOf, client_of: Any, events: Events
) -> None:
    browser = browser_of(admin)
    assert shown(browser, bill) == DATA

    page = save(browser, bill, {**DATA, "total": 2.5, "address": {"city": "Köln"}})

    assert "was changed successfully" in page
    visible = {name: value for name, value in DATA.items() if name != "margin"}
    assert read(client_of, owner, bill) == {**visible, "total": 2.5, "address": {"city": "Köln"}}
    (event,) = events("resource.updated")
    assert (event.actor, sorted(event.payload["after"])) == (admin.pk, ["data.address.city", "data.total"])


def test_what_the_schema_refuses_is_said_at_the_field_and_what_was_typed_stays(
    admin: User, bill: Resource, browser_of: BrowserOf, events: Events
) -> None:
    page = save(browser_of(admin), bill, {**DATA, "total": "twelve", "colour": "red"})

    assert "data.total: " in page
    assert "data.colour: " in page
    assert '"twelve"' in page
    bill.refresh_from_db()
    assert bill.version == 1
    assert events("resource.updated") == []


@pytest.mark.parametrize("typed", ['{"number": "1"', "[1]", "7", '{"number": 1, "number": 2}', '{"number": NaN}'])
def test_what_is_no_json_object_changes_nothing(admin: User, bill: Resource, browser_of: BrowserOf, typed: str) -> None:
    assert "was changed successfully" not in save(browser_of(admin), bill, typed)

    bill.refresh_from_db()
    assert bill.version == 1


def test_who_may_not_read_a_field_writes_past_it(
    moderator: User, admin: User, bill: Resource, browser_of: BrowserOf, client_of: Any
) -> None:
    browser = browser_of(moderator)
    assert "margin" not in shown(browser, bill)

    save(browser, bill, {**shown(browser, bill), "total": 3})

    assert read(client_of, admin, bill) == {**DATA, "total": 3}


def test_a_page_that_is_out_of_date_overwrites_nothing(
    admin: User, owner: User, bill: Resource, browser_of: BrowserOf, client_of: Any
) -> None:
    patch_resource(actor=Caller.of(owner), resource_id=bill.pk, changes={"data": {"total": 7}, "name": "April"})

    page = save(browser_of(admin), bill, {**DATA, "number": "2"})

    assert "This was changed in the meantime; read it again." in page
    assert read(client_of, admin, bill) == {**DATA, "total": 7}
    bill.refresh_from_db()
    assert bill.name == "April"


def test_a_page_that_was_saved_as_it_is_writes_nothing(
    admin: User, bill: Resource, browser_of: BrowserOf, events: Events
) -> None:
    browser = browser_of(admin)

    save(browser, bill, shown(browser, bill))

    bill.refresh_from_db()
    assert bill.version == 1
    assert events("resource.updated") == []


def test_a_secret_in_the_data_is_not_shown_and_stays(
    admin: User, bill: Resource, browser_of: BrowserOf, client_of: Any
) -> None:
    patch_resource(actor=Caller.of(admin), resource_id=bill.pk, changes={"data": {"pin": {"password": "0815"}}})
    bill.refresh_from_db()
    browser = browser_of(admin)
    assert "0815" not in browser.get(page_of(bill)).text

    save(browser, bill, {**shown(browser, bill), "total": 4})

    assert read(client_of, admin, bill) == {**DATA, "total": 4, "pin": {"password": "0815"}}


def test_a_number_that_becomes_a_truth_is_a_change(
    admin: User, owner: User, browser_of: BrowserOf, client_of: Any
) -> None:
    note = create_resource(owner, name="March", data={"done": 1})

    save(browser_of(admin), note, {"done": True})

    assert read(client_of, owner, note)["done"] is True
