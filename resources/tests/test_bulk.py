"""POST /resources/bulk."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_api_token_of, create_user
from core.models import Event
from resources.models import Resource, ResourceHistory, ResourceVersion
from resources.tests.factories import create_resource, create_type

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources/bulk"
WORKFLOW = {
    "initial": "draft",
    "states": ["draft", "sent"],
    "transitions": [{"name": "send", "from": ["draft"], "to": "sent", "allow": ["owner"]}],
}


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    return client_of(owner)


def bulk(client: Client, *operations: Any, atomic: bool = True, **options: Any) -> Any:
    return client.post(PATH, {"atomic": atomic, "operations": list(operations)}, "application/json", **options)


def details(answer: Any) -> list[tuple[str, str]]:
    return [(one["field"], one["code"]) for one in answer.json()["error"]["details"]]


def all_kinds(owner: User) -> list[dict[str, Any]]:
    """One operation of each kind, all of which succeed."""
    create_type("letter", workflow=WORKFLOW)
    changed, deleted = create_resource(owner, data={"kept": 1}), create_resource(owner)
    sent = create_resource(owner, type_id="letter", status="draft")
    return [
        {"op": "create", "type": "letter", "name": "New", "tags": ["a"]},
        {"op": "update", "id": str(changed.id), "version": 1, "data": {"more": 2}},
        {"op": "delete", "id": str(deleted.id)},
        {"op": "restore", "id": str(deleted.id)},
        {"op": "transition", "id": str(sent.id), "transition": "send"},
    ]


@pytest.mark.parametrize("atomic", [True, False])
def test_each_operation_does_what_it_does_alone(client: Client, owner: User, atomic: bool) -> None:
    operations = all_kinds(owner)
    found = list(Resource.objects.all())

    answer = bulk(client, *operations, atomic=atomic)

    results = answer.json()["data"]
    assert answer.status_code == 200
    assert [(one["op"], one["status"], one["version"], one["error"]) for one in results] == [
        ("create", 201, 1, None),
        ("update", 200, 2, None),
        ("delete", 204, 2, None),
        ("restore", 200, 3, None),
        ("transition", 200, 2, None),
    ]
    assert [one["id"] for one in results[1:]] == [operation["id"] for operation in operations[1:]]
    assert Resource.objects.get(id=results[0]["id"]).type_id == "letter"
    assert Resource.objects.get(id=results[1]["id"]).data == {"kept": 1, "more": 2}
    assert Resource.objects.get(id=results[4]["id"]).status == "sent"
    written = ResourceHistory.objects.exclude(resource__in=found, number=1).values_list("action", flat=True)
    assert sorted(written) == ["created", "deleted", "restored", "transitioned", "updated"]
    assert Event.objects.filter(type__startswith="resource.").count() == 5


BAD: list[tuple[dict[str, Any], int, list[tuple[str, str]]]] = [
    ({"op": "create", "type": "strict", "name": "A"}, 400, [("data.total", "required")]),
    ({"op": "create"}, 400, [("name", "required")]),
    ({"op": "create", "name": "A", "colour": "red"}, 400, [("colour", "unknown_field")]),
    ({"op": "update", "name": "A"}, 400, [("id", "required")]),
    ({"op": "update", "id": "mine", "name": "A"}, 400, [("id", "invalid")]),
    ({"op": "destroy"}, 400, [("op", "invalid_choice")]),
    ({"name": "A"}, 400, [("op", "invalid_choice")]),
    ({"op": "delete", "id": str(uuid4())}, 404, [("", "not_found")]),
    ({"op": "create", "name": "A", "external_id": "taken"}, 409, [("external_id", "unique")]),
]


@pytest.mark.parametrize(("operation", "status", "found"), BAD)
def test_together_one_refusal_undoes_all_and_says_which(
    client: Client, owner: User, operation: dict[str, Any], status: int, found: list[tuple[str, str]]
) -> None:
    create_type("strict", schema={"type": "object", "required": ["total"]})
    create_resource(owner, external_id="taken")

    answer = bulk(client, {"op": "create", "name": "Fine"}, operation, {"op": "create", "name": "Fine too"})

    places = [(f"operations.1.{field}".removesuffix("."), code) for field, code in found]
    assert (answer.status_code, details(answer)) == (status, places)
    assert Resource.objects.count() == 1
    assert (ResourceVersion.objects.count(), Event.objects.filter(type__startswith="resource.").count()) == (0, 0)


@pytest.mark.parametrize(("operation", "status", "found"), BAD)
def test_each_for_itself_the_others_are_done(
    client: Client, owner: User, operation: dict[str, Any], status: int, found: list[tuple[str, str]]
) -> None:
    create_type("strict", schema={"type": "object", "required": ["total"]})
    create_resource(owner, external_id="taken")

    answer = bulk(client, {"op": "create", "name": "Fine"}, operation, {"op": "create", "name": "Too"}, atomic=False)

    results = answer.json()["data"]
    assert (answer.status_code, [one["status"] for one in results]) == (200, [201, status, 201])
    told = [(one["field"] or "", one["code"]) for one in results[1]["error"]["details"]] or [("", "not_found")]
    assert told == found
    assert sorted(Resource.objects.values_list("name", flat=True)) == ["A thing", "Fine", "Too"]


def test_every_fault_of_form_is_told_at_once(client: Client) -> None:
    answer = bulk(client, {"op": "create"}, {"op": "create", "name": "A"}, {"op": "update"}, {"op": "create"})

    assert answer.status_code == 400
    assert details(answer) == [
        ("operations.0.name", "required"), ("operations.2.id", "required"), ("operations.3.name", "required"),
    ]  # fmt: skip
    assert not Resource.objects.exists()


def test_permission_is_asked_for_each(client_of: ClientOf, owner: User, stranger: User) -> None:
    private, public = create_resource(owner), create_resource(owner, visibility="public")
    operations = [{"op": "update", "id": str(row.id), "name": "Mine"} for row in (private, public)]
    operations.append({"op": "create", "name": "Own"})

    answer = bulk(client_of(stranger), *operations, atomic=False)

    assert [one["status"] for one in answer.json()["data"]] == [404, 403, 201]
    assert bulk(client_of(stranger), operations[2], operations[1]).status_code == 403
    assert sorted(Resource.objects.values_list("name", flat=True)) == ["A thing", "A thing", "Own"]


def test_a_version_is_what_if_match_is_elsewhere(client: Client, owner: User) -> None:
    row = create_resource(owner)

    answer = bulk(client, {"op": "update", "id": str(row.id), "version": 2, "name": "Late"})

    assert (answer.status_code, details(answer)) == (412, [("operations.0", "precondition_failed")])
    assert Resource.objects.get().name == "A thing"


def test_a_token_deletes_only_with_the_scope_for_it(owner: User) -> None:
    row = create_resource(owner)
    client = Client(headers={"Authorization": f"Bearer {create_api_token_of(owner, 'write:resource')[1]}"})

    answer = bulk(client, {"op": "update", "id": str(row.id), "name": "B"}, {"op": "delete", "id": str(row.id)})

    assert (answer.status_code, details(answer)) == (403, [("operations.1", "permission_denied")])
    assert (Resource.objects.get().name, Resource.objects.get().version) == ("A thing", 1)


@pytest.mark.parametrize("atomic", [True, False])
def test_the_same_key_has_one_effect(client: Client, atomic: bool) -> None:
    operations = [{"op": "create", "name": "Once"}, {"op": "create", "name": "" if not atomic else "Twice"}]

    answers = [bulk(client, *operations, atomic=atomic, headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert Resource.objects.count() == (2 if atomic else 1)


def test_a_transition_may_be_named_as_in_its_path(client: Client, owner: User) -> None:
    create_type("invoice", workflow=WORKFLOW)
    bill = create_resource(owner, type_id="invoice", status="draft")

    answer = bulk(client, {"op": "transition", "id": str(bill.id), "name": "send"})

    assert (answer.status_code, Resource.objects.get(id=bill.id).status) == (200, "sent")
    both = bulk(client, {"op": "transition", "id": str(bill.id), "name": "send", "transition": "send"})
    assert (both.status_code, details(both)) == (400, [("operations.0.name", "unknown_field")])


def test_there_is_a_least_and_a_most(client: Client) -> None:
    none, many = bulk(client), bulk(client, *[{"op": "create", "name": "A"}] * 501)

    assert [(answer.status_code, details(answer)[0][0]) for answer in (none, many)] == [
        (400, "operations"), (400, "operations"),
    ]  # fmt: skip
    assert not Resource.objects.exists()
    full = bulk(client, *[{"op": "create", "name": "A"}] * 500)
    assert (full.status_code, Resource.objects.count()) == (200, 500)


def test_many_writes_are_counted_apart(client: Client) -> None:
    assert bulk(client, {"op": "create", "name": "A"})["RateLimit-Limit"] == "10"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_requests_about_the_same_resources_in_any_order_never_wait_in_a_circle(client_of: ClientOf) -> None:
    user = create_user()
    ids = [str(create_resource(user).id) for _ in range(6)]
    clients = [client_of(user) for _ in range(4)]

    def run(number: int) -> int:
        order = ids if number % 2 else ids[::-1]
        changes = [{"op": "update", "id": row_id, "data": {f"n{number}": 1}} for row_id in order]
        try:
            return int(bulk(clients[number], *changes).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == [200] * 4
    assert set(Resource.objects.values_list("version", flat=True)) == {5}
