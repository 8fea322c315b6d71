"""Fields that not everybody may read or write: hidden in every read, kept by every write."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.live.feed import describe
from core.models import Event
from core.permissions import ANONYMOUS, Caller
from resources.access import Asker, Level
from resources.keywords.field_rules import hidden_paths
from resources.models import Resource
from resources.personal_data import export
from resources.schemas.keywords import Keywords
from resources.tests.factories import create_type, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "grade": {"type": "integer", "x-write": ["moderator"]},
        "person": {
            "type": "object",
            "properties": {"salary": {"type": "integer", "x-read": ["moderator"]}, "desk": {"type": "string"}},
        },
        "diary": {"type": "string", "x-read": ["owner"]},
    },
}
WHOLE = {"name": "Sam", "grade": 3, "person": {"salary": 4000, "desk": "7a"}, "diary": "mine"}
SEEN_BY_OWNER = {"name": "Sam", "grade": 3, "person": {"desk": "7a"}, "diary": "mine"}
SEEN_BY_OTHERS = {"name": "Sam", "grade": 3, "person": {"desk": "7a"}}


@pytest.fixture
def record(owner: User, stranger: User) -> Resource:
    """A record with values in every field, shared with the stranger as an editor."""
    create_type("employee", schema=SCHEMA)
    row: Resource = Resource.objects.create(owner=owner, type_id="employee", name="Sam", data=WHOLE)
    share(row, stranger, Level.EDITOR)
    return row


def data_of(answer: Any) -> Any:
    assert answer.status_code in {200, 201}, answer.content
    return answer.json()["data"]["data"]


def details(answer: Any) -> list[tuple[str, str]]:
    return [(detail["field"], detail["code"]) for detail in answer.json()["error"]["details"]]


def test_each_sees_what_their_role_may(
    client_of: ClientOf, record: Resource, owner: User, stranger: User, admin: User
) -> None:
    path = f"{PATH}/{record.id}"

    assert data_of(client_of(owner).get(path)) == SEEN_BY_OWNER
    assert data_of(client_of(stranger).get(path)) == SEEN_BY_OTHERS
    assert data_of(client_of(admin).get(path)) == WHOLE


@pytest.mark.parametrize(
    "query", ["", "?cursor=", "?fields=data", "?fields=data.person", "?sort=name", "?type=employee"]
)
def test_no_list_shows_what_is_hidden(client_of: ClientOf, record: Resource, stranger: User, query: str) -> None:
    answer = client_of(stranger).get(f"{PATH}{query}")

    assert answer.status_code == 200
    assert b"7a" in answer.content
    assert b"salary" not in answer.content
    assert b"mine" not in answer.content


def test_a_role_that_may_read_does(client_of: ClientOf, record: Resource, moderator: User) -> None:
    share(record, moderator, Level.VIEWER)

    assert data_of(client_of(moderator).get(f"{PATH}/{record.id}")) == {k: v for k, v in WHOLE.items() if k != "diary"}


def test_a_link_shows_nothing_that_has_readers(client_of: ClientOf, record: Resource, owner: User) -> None:
    token = (
        client_of(owner).post(f"{PATH}/{record.id}/shares", {"link": {}, "access": "viewer"}).json()["data"]["token"]
    )

    assert data_of(Client().get(f"/api/v1/shared/{token}")) == SEEN_BY_OTHERS
    assert b"4000" not in Client().post("/shared", {"token": token}).content


def test_history_hides_it_too(client_of: ClientOf, record: Resource, stranger: User, admin: User) -> None:
    path = f"{PATH}/{record.id}"
    client_of(admin).patch(path, {"data": {"person": {"salary": 1}}})
    client_of(admin).patch(path, {"data": {"person": {"salary": 2, "desk": "8b"}}})
    seen = client_of(stranger)

    listed = seen.get(f"{path}/versions").json()["data"]
    assert [one["changed"] for one in listed[:2]] == [["data.person.desk"], []]
    assert seen.get(f"{path}/versions/3").json()["data"]["snapshot"]["data"]["person"] == {"desk": "8b"}
    assert seen.get(f"{path}/versions/2/diff/3").json()["data"]["changes"] == [
        {"path": "data.person.desk", "before": "7a", "after": "8b"}
    ]
    assert client_of(admin).get(f"{path}/versions/2/diff/3").json()["data"]["changes"][1]["after"] == 2


@pytest.mark.parametrize(
    "given",
    [
        {"name": "Sue"},
        {"name": "Sue", "person": {"desk": "7a"}},
        {"name": "Sue", "person": {"desk": "7a"}, "grade": 3},
    ],
)
@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_write_keeps_what_the_writer_may_not_see_or_change(
    client_of: ClientOf, record: Resource, stranger: User, method: str, given: dict[str, Any]
) -> None:
    answer = getattr(client_of(stranger), method)(f"{PATH}/{record.id}", {"name": "Sam", "data": given})

    assert data_of(answer)["name"] == "Sue"
    record.refresh_from_db()
    kept = {"name": "Sue", "grade": 3, "diary": "mine"}
    assert {name: record.data[name] for name in kept} == kept
    assert record.data["person"]["salary"] == 4000


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"grade": 4}, "data.grade"),
        ({"grade": None}, "data.grade"),
        ({"person": {"salary": 5000}}, "data.person.salary"),
        ({"person": {"salary": 4000}}, "data.person.salary"),
        ({"person": {"salary": None}}, "data.person.salary"),
        ({"diary": "mine"}, "data.diary"),
    ],
)
def test_who_names_such_a_field_is_refused_whether_or_not_they_guessed_it(
    client_of: ClientOf, record: Resource, stranger: User, given: dict[str, Any], path: str
) -> None:
    answer = client_of(stranger).patch(f"{PATH}/{record.id}", {"data": given})

    assert (answer.status_code, details(answer)) == (403, [(path, "not_writable")])
    record.refresh_from_db()
    assert (record.data, record.version) == (WHOLE, 1)
    assert not Event.objects.filter(type="resource.updated", subject_id=str(record.id)).exists()


def test_taking_away_what_holds_a_hidden_value_keeps_it(client_of: ClientOf, record: Resource, stranger: User) -> None:
    answer = client_of(stranger).patch(f"{PATH}/{record.id}", {"data": {"person": None}})

    assert data_of(answer)["person"] == {}
    record.refresh_from_db()
    assert record.data["person"] == {"salary": 4000}


def test_a_new_record_cannot_have_it_either(client_of: ClientOf, record: Resource, owner: User, admin: User) -> None:
    body = {"type": "employee", "name": "Sue", "data": {"grade": 1, "diary": "also mine"}}

    refused = client_of(owner).post(PATH, body)
    made = client_of(admin).post(PATH, body)

    assert (refused.status_code, details(refused)) == (403, [("data.grade", "not_writable")])
    assert data_of(made) == {"grade": 1, "diary": "also mine"}
    assert Resource.objects.count() == 2


def test_an_upsert_and_a_revert_keep_it(client_of: ClientOf, record: Resource, owner: User, admin: User) -> None:
    path = f"{PATH}/{record.id}"
    Resource.objects.filter(pk=record.pk).update(external_id="e1")
    client_of(admin).patch(path, {"data": {"name": "A", "grade": 9}})
    client_of(owner).put(f"{PATH}/by-external/employee/e1", {"name": "Sam", "data": {"name": "B"}})

    answer = client_of(owner).post(f"{path}/revert", {"version": 2})

    assert data_of(answer) == {**SEEN_BY_OWNER, "name": "A", "grade": 9}
    record.refresh_from_db()
    assert record.data["person"] == {"salary": 4000, "desk": "7a"}


def test_in_bulk_the_path_has_its_place(client_of: ClientOf, record: Resource, stranger: User) -> None:
    operations = [{"op": "update", "id": str(record.id), "data": {"grade": 1}}]

    answer = client_of(stranger).post(f"{PATH}/bulk", {"operations": operations})

    assert (answer.status_code, details(answer)) == (403, [("operations.0.data.grade", "not_writable")])


def test_the_event_log_never_has_the_value(client_of: ClientOf, record: Resource, admin: User) -> None:
    client_of(admin).patch(f"{PATH}/{record.id}", {"data": {"person": {"salary": 77123}, "diary": "secret words"}})
    client_of(admin).delete(f"{PATH}/{record.id}?permanent=true")

    events = Event.objects.filter(subject_id=str(record.id))
    assert sorted(event.type for event in events) == ["resource.destroyed", "resource.updated"]
    assert not any("77123" in str(event.payload) or "secret words" in str(event.payload) for event in events)
    changed = events.get(type="resource.updated").payload
    assert changed["readers"] == {"data.person.salary": ["moderator"], "data.diary": [str(record.owner_id)]}
    assert set(changed["after"]) == {"data.person.salary", "data.diary"}


def test_a_search_finds_nothing_that_is_hidden_from_somebody(
    client_of: ClientOf, record: Resource, stranger: User
) -> None:
    def found(word: str) -> int:
        return len(client_of(stranger).get(f"{PATH}?q={word}").json()["data"])

    assert (found("7a"), found("4000"), found("mine")) == (1, 0, 0)


def test_a_row_of_another_shape_is_not_found_by_what_it_hides(
    client_of: ClientOf, record: Resource, stranger: User
) -> None:
    Resource.objects.filter(pk=record.pk).update(data={"name": "Sam", "person": [{"salary": 4711}]})

    assert client_of(stranger).get(f"{PATH}?q=4711").json()["data"] == []


def test_a_rule_holds_from_the_change_of_the_type_on(
    client_of: ClientOf, record: Resource, stranger: User, admin: User
) -> None:
    path = f"{PATH}/{record.id}"
    assert data_of(client_of(stranger).get(path))["person"] == {"desk": "7a"}
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "person": {"type": "object"}}}

    client_of(admin).patch("/api/v1/resource-types/employee", {"schema": schema})

    assert data_of(client_of(stranger).get(path))["person"] == {"desk": "7a", "salary": 4000}


def test_a_row_of_another_shape_shows_nothing_of_the_place(
    client_of: ClientOf, record: Resource, stranger: User, admin: User
) -> None:
    Resource.objects.filter(pk=record.pk).update(data={"name": "Sam", "person": [{"salary": 4000}]})

    assert data_of(client_of(stranger).get(f"{PATH}/{record.id}")) == {"name": "Sam"}


def test_roles_have_to_exist(client_of: ClientOf, admin: User) -> None:
    schema = {"type": "object", "properties": {"a": {"x-read": ["nobody", "owner"], "x-write": ["moderator"]}}}

    answer = client_of(admin).post("/api/v1/resource-types", {"key": "a", "name": "A", "schema": schema})

    assert (answer.status_code, details(answer)) == (400, [("schema.properties.a.x-read", "unknown_role")])


def test_what_is_hidden_is_asked_for_in_one_place(record: Resource, owner: User, admin: User) -> None:
    keywords = Keywords.of(SCHEMA)

    assert hidden_paths(Asker.of(Caller.of(owner)), keywords) == (("person", "salary"), ("diary",))
    assert hidden_paths(Asker.of(Caller.of(owner)), keywords, owns=True) == (("person", "salary"),)
    assert hidden_paths(Asker.of(ANONYMOUS), keywords) == (("person", "salary"), ("diary",))
    assert hidden_paths(Asker.of(Caller.of(admin)), keywords) == ()


def test_the_live_stream_does_not_say_that_it_changed(
    client_of: ClientOf, record: Resource, owner: User, stranger: User, admin: User
) -> None:
    client_of(admin).patch(f"{PATH}/{record.id}", {"data": {"person": {"salary": 1}, "diary": "x", "name": "Sue"}})
    event = Event.objects.get(type="resource.updated", subject_id=str(record.id))

    def changed(user: User) -> list[str]:
        return list(json.loads(describe(event, Caller.of(user)))["changed"])

    assert changed(stranger) == ["data.name"]
    assert changed(owner) == ["data.diary", "data.name"]
    assert changed(admin) == ["data.diary", "data.name", "data.person.salary"]


def test_ones_own_data_is_given_out_as_one_may_read_it(record: Resource, owner: User) -> None:
    files = {file.name: list(file.rows or ()) for file in export(owner.id)}

    assert [row["data"] for row in files["resources/resources.json"]] == [SEEN_BY_OWNER]
