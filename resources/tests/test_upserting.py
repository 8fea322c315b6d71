"""PUT /resources/by-external/{type}/{external_id}."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from accounts.models import User
from core.models import Event
from core.tests.spine import Events
from resources.access import Level
from resources.models import Resource, ResourceHistory
from resources.tests.factories import create_resource, create_type, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources/by-external/item"


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    return client_of(owner)


def details(answer: Any) -> list[tuple[str, str]]:
    return [(one["field"], one["code"]) for one in answer.json()["error"]["details"]]


def test_what_is_not_there_is_made(client: Client, owner: User, events: Events) -> None:
    answer = client.put(f"{PATH}/inv-1", {"name": "March", "data": {"total": 1}})

    data = answer.json()["data"]
    assert (answer.status_code, answer["ETag"]) == (201, '"1"')
    assert answer["Location"] == f"/api/v1/resources/{data['id']}"
    assert (data["type"], data["external_id"], data["owner"]["id"], data["data"]) == (
        "item", "inv-1", str(owner.id), {"total": 1},
    )  # fmt: skip
    assert [event.type for event in events("resource.*")] == ["resource.created"]


def test_what_is_there_is_replaced(client: Client, events: Events) -> None:
    first = client.put(f"{PATH}/inv-1", {"name": "March", "data": {"total": 1}, "tags": ["a"]}).json()["data"]

    answer = client.put(f"{PATH}/inv-1", {"name": "April", "data": {"sum": 2}})

    data = answer.json()["data"]
    assert (answer.status_code, answer["ETag"], "Location" in answer) == (200, '"2"', False)
    assert (data["id"], data["name"], data["data"], data["tags"]) == (first["id"], "April", {"sum": 2}, [])
    assert [event.type for event in events("resource.*")] == ["resource.created", "resource.updated"]


def test_the_same_again_changes_nothing(client: Client) -> None:
    answers = [client.put(f"{PATH}/inv-1", {"name": "March"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert [answer["ETag"] for answer in answers] == ['"1"', '"1"', '"1"']
    assert (Resource.objects.count(), ResourceHistory.objects.count()) == (1, 1)


def test_a_resource_that_was_read_can_be_put_back(client: Client) -> None:
    read = client.put(f"{PATH}/inv-1", {"name": "March"}).json()["data"]

    assert client.put(f"{PATH}/inv-1", {**read, "name": "April"}).json()["data"]["name"] == "April"


@pytest.mark.parametrize("external_id", ["a/b", "2026 03", "%2e%2e", "é", "a?b#c"])
def test_an_id_may_be_whatever_another_system_uses(client: Client, external_id: str) -> None:
    path = f"{PATH}/{quote(external_id, safe='/')}"

    assert [client.put(path, {"name": "March"}).status_code for _ in range(2)] == [201, 200]
    assert Resource.objects.get().external_id == external_id


def test_each_owner_has_ids_of_their_own(client: Client, client_of: ClientOf, stranger: User, admin: User) -> None:
    mine = client.put(f"{PATH}/inv-1", {"name": "Mine"}).json()["data"]["id"]
    share(Resource.objects.get(), stranger, Level.MANAGER)

    answers = [client_of(person).put(f"{PATH}/inv-1", {"name": "Theirs"}) for person in (stranger, admin)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert Resource.objects.get(id=mine).name == "Mine"
    assert Resource.objects.filter(external_id="inv-1").count() == 3


def test_each_type_has_ids_of_its_own(client: Client) -> None:
    create_type("note")
    client.put(f"{PATH}/inv-1", {"name": "Item"})

    assert client.put("/api/v1/resources/by-external/note/inv-1", {"name": "Note"}).status_code == 201


def test_what_lies_in_the_bin_holds_no_id(client: Client) -> None:
    first = client.put(f"{PATH}/inv-1", {"name": "March"}).json()["data"]["id"]
    client.delete(f"/api/v1/resources/{first}")

    assert client.put(f"{PATH}/inv-1", {"name": "April"}).status_code == 201
    assert client.post(f"/api/v1/resources/{first}/restore").status_code == 409


def test_another_version_is_not_replaced_and_nothing_is_no_version(client: Client) -> None:
    absent = [client.put(f"{PATH}/inv-1", {"name": "A"}, headers={"If-Match": tag}) for tag in ('"1"', "*")]
    client.put(f"{PATH}/inv-1", {"name": "March"})

    assert [answer.status_code for answer in absent] == [412, 412]
    assert client.put(f"{PATH}/inv-1", {"name": "B"}, headers={"If-Match": '"2"'}).status_code == 412
    assert client.put(f"{PATH}/inv-1", {"name": "C"}, headers={"If-Match": '"1"'}).status_code == 200
    assert Resource.objects.get().name == "C"


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        (f"{PATH}/x", {}, [("name", "required")]),
        (f"{PATH}/x", {"name": "A", "type": "note"}, [("type", "conflict")]),
        (f"{PATH}/x", {"name": "A", "external_id": "y"}, [("external_id", "conflict")]),
        (f"{PATH}/{'x' * 201}", {"name": "A"}, [("external_id", "max_length")]),
        (f"{PATH}/a%E2%80%AEb", {"name": "A"}, [("external_id", "hidden_characters")]),
        ("/api/v1/resources/by-external/nothing/x", {"name": "A"}, [("type", "does_not_exist")]),
    ],
)
def test_what_is_wrong_is_refused(client: Client, path: str, body: dict[str, Any], found: list[Any]) -> None:
    answer = client.put(path, body)

    assert (answer.status_code, details(answer)) == (400, found)
    assert (Resource.objects.count(), Event.objects.filter(type="resource.created").count()) == (0, 0)


def test_the_schema_judges_both_ways(client: Client) -> None:
    create_type("strict", schema={"type": "object", "required": ["total"]})
    path = "/api/v1/resources/by-external/strict/x"

    made = client.put(path, {"name": "A"})
    client.put(path, {"name": "A", "data": {"total": 1}})
    replaced = client.put(path, {"name": "B"})

    assert [(answer.status_code, details(answer)) for answer in (made, replaced)] == [
        (400, [("data.total", "required")]), (400, [("data.total", "required")]),
    ]  # fmt: skip
    assert Resource.objects.get().name == "A"


def test_an_upsert_needs_a_sign_in(anonymous: Client, owner: User) -> None:
    create_resource(owner, external_id="x", visibility="public")

    assert anonymous.put(f"{PATH}/x", {"name": "Mine"}).status_code == 401
    assert Resource.objects.get().name == "A thing"


def test_one_slash_at_the_end_is_as_good_as_none(client: Client) -> None:
    statuses = [client.put(f"{PATH}/inv-1{end}", {"name": "March"}).status_code for end in ("", "/", "//", "//")]

    assert statuses == [201, 200, 201, 200]
    assert sorted(Resource.objects.values_list("external_id", flat=True)) == ["inv-1", "inv-1/"]


def test_who_wants_a_new_one_replaces_nothing(client: Client) -> None:
    new = {"If-None-Match": "*"}

    made = client.put(f"{PATH}/inv-1", {"name": "March"}, headers=new)
    refused = client.put(f"{PATH}/inv-1", {"name": "April"}, headers=new)

    assert (made.status_code, refused.status_code) == (201, 412)
    assert refused.json()["error"]["code"] == "PRECONDITION_FAILED"
    assert list(Resource.objects.values_list("name", "version")) == [("March", 1)]
