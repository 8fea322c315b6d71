"""Creating, reading, replacing, changing: GET/POST /resources and GET/PUT/PATCH /resources/{id}."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest
from django.test import Client

from accounts.models import User
from core.models import Event
from resources.models import Resource, ResourceHistory

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
FIELDS = [
    "id",
    "type",
    "name",
    "description",
    "status",
    "visibility",
    "data",
    "tags",
    "external_id",
    "owner",
    "version",
    "schema_version",
    "access",
    "created_at",
    "updated_at",
    "deleted_at",
]


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    """The owner's client."""
    return client_of(owner)


def made(client: Client, **body: object) -> dict[str, object]:
    """Create a resource and return it."""
    return client.post(PATH, {"name": "March", **body}).json()["data"]  # type: ignore[no-any-return]


def nothing_was_written(*, resources: int = 0, versions: int = 0, events: int = 0) -> bool:
    """Return whether the tables hold no more than said."""
    found = (
        Resource.all_objects.count(),
        ResourceHistory.objects.count(),
        Event.objects.filter(type__startswith="resource.").count(),
    )
    return found == (resources, versions, events)


def test_a_resource_is_created_with_every_field(client: Client, owner: User) -> None:
    body = {
        "type": "item",
        "name": "March",
        "description": "The invoice",
        "data": {"price": 120.5, "lines": [{"n": 1}]},
        "tags": ["b", "a", "b"],
        "visibility": "internal",
        "external_id": "inv-1",
    }

    response = client.post(PATH, body)

    data = response.json()["data"]
    assert response.status_code == 201
    assert response["Location"] == f"{PATH}/{data['id']}"
    assert response["ETag"] == '"1"'
    assert list(data) == FIELDS
    assert data == {
        "id": data["id"],
        "type": "item",
        "name": "March",
        "description": "The invoice",
        "status": "active",
        "visibility": "internal",
        "data": {"price": 120.5, "lines": [{"n": 1}]},
        "tags": ["b", "a"],
        "external_id": "inv-1",
        "owner": {"id": str(owner.id), "name": "Olive Owner"},
        "version": 1,
        "schema_version": 1,
        "access": "owner",
        "created_at": data["created_at"],
        "updated_at": data["created_at"],
        "deleted_at": None,
    }
    assert len(data["created_at"]) == len("2026-11-21T09:30:00.000000Z")
    assert client.get(f"{PATH}/{data['id']}").json()["data"] == data


def test_creating_writes_a_version_and_an_event_in_one_transaction(client: Client, owner: User) -> None:
    data = made(client, data={"price": 1})

    version = ResourceHistory.objects.get()
    event = Event.objects.get(type="resource.created")
    assert (str(version.resource_id), version.number, version.action) == (data["id"], 1, "created")
    assert version.actor_id == owner.id
    assert version.snapshot["data"] == {"price": 1}
    assert (event.actor, event.subject_id) == (owner.id, data["id"])
    assert event.payload["after"]["name"] == "March"


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "name", "required"),
        ({"name": ""}, "name", "blank"),
        ({"name": "x" * 256}, "name", "max_length"),
        ({"name": 5}, "name", "invalid"),
        ({"name": "a\u202eb"}, "name", "hidden_characters"),
        ({"name": "a", "description": "x" * 10_001}, "description", "max_length"),
        ({"name": "a", "data": []}, "data", "not_an_object"),
        ({"name": "a", "data": None}, "data", "null"),
        ({"name": "a", "data": {"text": "x" * 262_144}}, "data", "too_large"),
        ({"name": "a", "tags": "b"}, "tags", "not_a_list"),
        ({"name": "a", "tags": ["x" * 51]}, "tags.0", "max_length"),
        ({"name": "a", "tags": [str(n) for n in range(51)]}, "tags", "max_length"),
        ({"name": "a", "visibility": "secret"}, "visibility", "invalid_choice"),
        ({"name": "a", "external_id": "x" * 201}, "external_id", "max_length"),
        ({"name": "a", "type": "nothing"}, "type", "does_not_exist"),
        ({"name": "a", "type": "No such"}, "type", "invalid"),
        ({"name": "a", "colour": "red"}, "colour", "unknown_field"),
    ],
)
def test_a_wrong_body_is_refused_and_nothing_is_written(
    client: Client, body: dict[str, object], field: str, code: str
) -> None:
    response = client.post(PATH, body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "VALIDATION_ERROR"
    assert [(detail["field"], detail["code"]) for detail in response.json()["error"]["details"]] == [(field, code)]
    assert nothing_was_written()


def test_what_was_read_is_created_anew_as_ones_own(
    client: Client, client_of: Callable[[User], Client], stranger: User
) -> None:
    theirs = client_of(stranger).post(PATH, {"name": "a", "tags": ["b"], "visibility": "public"}).json()["data"]

    made = client.post(PATH, {**theirs, "status": "paid", "version": 7, "access": "admin"})

    ours = made.json()["data"]
    assert made.status_code == 201
    assert (ours["name"], ours["tags"], ours["visibility"]) == ("a", ["b"], "public")
    assert (ours["owner"]["id"] == theirs["owner"]["id"], ours["id"] == theirs["id"]) == (False, False)
    assert (ours["status"], ours["version"], ours["access"]) == ("active", 1, "owner")


def test_a_nul_character_is_refused(client: Client) -> None:
    response = client.post(PATH, {"name": "a", "data": {"text": "a\x00b"}})

    assert (response.status_code, response.json()["error"]["code"]) == (400, "PARSE_ERROR")
    assert nothing_was_written()


def test_creating_needs_a_sign_in(anonymous: Client, db: None) -> None:
    response = anonymous.post(PATH, {"name": "March"})

    assert (response.status_code, response.json()["error"]["code"]) == (401, "NOT_AUTHENTICATED")
    assert nothing_was_written()


def test_an_external_id_is_taken_once_for_each_type_and_owner(client: Client) -> None:
    made(client, external_id="inv-1")

    response = client.post(PATH, {"name": "Other", "external_id": "inv-1"})

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (409, "CONFLICT")
    assert error["details"] == [{"field": "external_id", "code": "unique", "message": "This value is taken."}]
    assert nothing_was_written(resources=1, versions=1, events=1)


def test_an_external_id_is_free_again_when_its_resource_is_in_the_bin(client: Client) -> None:
    first = made(client, external_id="inv-1")
    client.delete(f"{PATH}/{first['id']}")

    assert client.post(PATH, {"name": "Other", "external_id": "inv-1"}).status_code == 201


def test_put_replaces_all_that_is_written_and_a_read_resource_can_be_put_back(client: Client) -> None:
    data = made(client, description="Old", data={"a": 1}, tags=["x"])

    response = client.put(f"{PATH}/{data['id']}", {**data, "name": "April", "data": {"b": 2}})

    after = response.json()["data"]
    assert (response.status_code, response["ETag"]) == (200, '"2"')
    assert (after["name"], after["data"], after["description"], after["version"]) == ("April", {"b": 2}, "Old", 2)
    assert client.put(f"{PATH}/{data['id']}", {"name": "May"}).json()["data"]["tags"] == []


def test_patch_merges_data_and_leaves_the_rest(client: Client) -> None:
    data = made(client, description="Kept", data={"a": {"b": 1, "c": 2}, "d": [1, 2]})

    response = client.patch(f"{PATH}/{data['id']}", {"data": {"a": {"b": None, "e": 3}, "d": [9]}})

    after = response.json()["data"]
    assert response.status_code == 200
    assert (after["data"], after["description"]) == ({"a": {"c": 2, "e": 3}, "d": [9]}, "Kept")
    version = ResourceHistory.objects.get(number=2)
    assert version.changed == ["data.a.b", "data.a.e", "data.d"]
    event = Event.objects.get(type="resource.updated")
    assert event.payload == {
        "before": {"data.a.b": 1, "data.d": [1, 2]},
        "after": {"data.a.e": 3, "data.d": [9]},
    }


def test_a_write_that_changes_nothing_makes_no_version(client: Client) -> None:
    data = made(client, data={"a": 1})

    response = client.patch(f"{PATH}/{data['id']}", {"name": "March", "data": {"a": 1}})

    assert response.json()["data"]["version"] == 1
    assert nothing_was_written(resources=1, versions=1, events=1)


def test_a_type_is_kept(client: Client) -> None:
    data = made(client)

    response = client.patch(f"{PATH}/{data['id']}", {"type": "invoice"})

    assert response.json()["error"]["details"] == [
        {"field": "type", "code": "immutable", "message": "A resource keeps its type."}
    ]
    assert Resource.objects.get().version == 1


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_write_on_another_version_is_refused(client: Client, method: str) -> None:
    data = made(client)
    client.patch(f"{PATH}/{data['id']}", {"name": "April"})

    response = getattr(client, method)(f"{PATH}/{data['id']}", {"name": "May"}, headers={"If-Match": '"1"'})

    assert (response.status_code, response.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert Resource.objects.get().name == "April"
    assert nothing_was_written(resources=1, versions=2, events=2)


def test_a_write_on_the_version_at_hand_goes_through(client: Client) -> None:
    data = made(client)

    response = client.patch(f"{PATH}/{data['id']}", {"name": "April"}, headers={"If-Match": '"1"'})

    assert (response.status_code, response["ETag"]) == (200, '"2"')


def test_a_known_version_is_not_sent_again(client: Client) -> None:
    data = made(client)
    path = f"{PATH}/{data['id']}"

    assert client.get(path)["ETag"] == '"1"'
    unchanged = client.get(path, headers={"If-None-Match": '"1"'})
    assert (unchanged.status_code, unchanged["ETag"], unchanged.content) == (304, '"1"', b"")
    client.patch(path, {"name": "April"})
    assert client.get(path, headers={"If-None-Match": '"1"'}).json()["data"]["name"] == "April"


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_private_resource_does_not_exist_for_a_stranger(
    client: Client, client_of: ClientOf, stranger: User, method: str
) -> None:
    data = made(client)
    missing = "/api/v1/resources/019a9c1e-5f00-7c4e-9d1b-2f6f3f0c8a11"

    ask = partial(getattr(client_of(stranger), method), **({} if method == "get" else {"data": {"name": "Mine"}}))

    found = ask(f"{PATH}/{data['id']}")
    never = ask(missing)

    without_id = {"request_id": ""}
    assert found.status_code == never.status_code == 404
    assert {**found.json()["error"], **without_id} == {**never.json()["error"], **without_id}
    assert nothing_was_written(resources=1, versions=1, events=1)


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_what_is_only_readable_is_not_written(client: Client, client_of: ClientOf, stranger: User, method: str) -> None:
    data = made(client, visibility="internal")

    response = getattr(client_of(stranger), method)(f"{PATH}/{data['id']}", {"name": "Mine"})

    assert (response.status_code, response.json()["error"]["code"]) == (403, "PERMISSION_DENIED")
    assert nothing_was_written(resources=1, versions=1, events=1)


def test_a_public_resource_is_read_without_a_token_and_an_internal_one_is_not(
    client: Client, anonymous: Client
) -> None:
    public = made(client, visibility="public")
    internal = made(client, visibility="internal")

    assert anonymous.get(f"{PATH}/{public['id']}").json()["data"]["access"] == "viewer"
    assert anonymous.get(f"{PATH}/{internal['id']}").status_code == 404
    assert [row["id"] for row in anonymous.get(PATH).json()["data"]] == [public["id"]]


def test_an_admin_reads_and_writes_everything(client: Client, client_of: ClientOf, admin: User) -> None:
    data = made(client)

    response = client_of(admin).patch(f"{PATH}/{data['id']}", {"visibility": "public"})

    assert (response.status_code, response.json()["data"]["access"]) == (200, "admin")


@pytest.mark.parametrize("path", ["abc", "019a9c1e-5f00-7c4e-9d1b-2f6f3f0c8a1", "%00", "1"])
def test_an_id_of_another_form_is_not_found(client: Client, path: str) -> None:
    assert client.get(f"{PATH}/{path}").status_code == 404


def test_ids_are_uuid_version_7(client: Client) -> None:
    assert UUID(str(made(client)["id"])).version == 7


@pytest.mark.parametrize(
    "text",
    ["ﷺ " * 20_000, "a-b-c-d " * 30_000, "㎧ ℀ " * 25_000, "x" * 250_000, "".join(f"{n} " for n in range(38_000))],
)
def test_the_heaviest_data_can_be_stored_whatever_the_search_makes_of_it(client: Client, text: str) -> None:
    response = client.post(PATH, {"name": "Heavy", "data": {"text": text}})

    assert response.status_code == 201
    assert Resource.objects.get().data == {"text": text}
