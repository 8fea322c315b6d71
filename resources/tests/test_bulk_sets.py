"""POST /resources/bulk by sets: what it costs, and that nobody can tell it from one call after the other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.tests.factories import create_user
from core.models import Event
from resources.access import Level
from resources.models import Resource, ResourceHistory, ResourceReference, UniqueValue, Watch
from resources.services.side_rows import digest_of
from resources.tests.factories import create_resource, create_type, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources/bulk"
WORKFLOW = {
    "initial": "draft",
    "states": ["draft", "sent"],
    "transitions": [{"name": "send", "from": ["draft"], "to": "sent", "require": ["total"], "allow": ["owner"]}],
}


def schema(key: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "number": {"type": "string", "x-unique": True},
            "code": {"type": "string", "x-unique": True},
            "total": {"type": "number"},
            "secret": {"type": "string", "x-encrypted": True},
            "margin": {"type": "number", "x-read": ["moderator"]},
            "above": {"type": "string", "x-ref": {"type": key, "on_delete": "restrict"}},
            "inside": {"type": "string", "x-ref": {"type": key, "on_delete": "cascade"}},
        },
    }


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    return client_of(owner)


def bulk(client: Client, operations: list[dict[str, Any]], *, atomic: bool = False) -> Any:
    return client.post(PATH, {"atomic": atomic, "operations": operations}, "application/json")


def made(client: Client, count: int, **values: Any) -> list[str]:
    numbers = [{"number": str(uuid4()), "secret": "s", "total": 1, **values} for _ in range(count)]
    answer = bulk(client, [{"op": "create", "type": "bill", "name": "Bill", "data": data} for data in numbers])
    return [one["id"] for one in answer.json()["data"]]


def operations_of(kind: str, client: Client, count: int, target: str) -> list[dict[str, Any]]:
    if kind == "create":
        numbers = [str(uuid4()) for _ in range(count)]
        return [
            {
                "op": "create",
                "type": "bill",
                "name": "Bill",
                "external_id": one,
                "data": {"number": one, "above": target},
            }
            for one in numbers
        ]
    ids = made(client, count, above=target)
    if kind == "restore":
        bulk(client, [{"op": "delete", "id": one} for one in ids])
    more: dict[str, dict[str, Any]] = {
        "update": {"data": {"total": 2, "secret": "t", "above": None}},
        "transition": {"transition": "send"},
    }
    if kind == "mixed":
        kinds = ("update", "transition")
        return [{"op": kinds[place % 2], "id": one, **more[kinds[place % 2]]} for place, one in enumerate(ids)]
    return [{"op": kind, "id": one, **more.get(kind, {})} for one in ids]


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("kind", ["create", "update", "delete", "restore", "transition", "mixed"])
@pytest.mark.usefixtures("sessions_read_once")
def test_more_operations_cost_no_more_statements(client: Client, kind: str, atomic: bool) -> None:
    create_type("bill", schema=schema("bill"), workflow=WORKFLOW)
    target = made(client, 2)[0]
    counts = []

    for count in (6, 6, 40):
        operations = operations_of(kind, client, count, target)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = bulk(client, operations, atomic=atomic)
        assert [one["error"] for one in answer.json()["data"]] == [None] * count
        counts.append(len(queries))

    assert counts[1] == counts[2]


def world(key: str, owner: User, reader: User) -> dict[str, Resource]:
    """Records of one type with each of its keywords in use, under the names that the operations use."""
    create_type(key, schema=schema(key), workflow=WORKFLOW)
    rows = {name: create_resource(owner, name=name, type_id=key, status="draft", data=data) for name, data in {
        "plain": {"total": 1}, "one": {"number": "1"}, "two": {"number": "2"}, "both": {"number": "3", "code": "c"},
        "above": {}, "target": {}, "whole": {}, "hidden": {"margin": 5}, "empty": {}, "gone": {"number": "9"},
    }.items()}  # fmt: skip
    rows["below"] = create_resource(
        owner, name="below", type_id=key, status="draft", data={"above": str(rows["above"].id)}
    )
    rows["part"] = create_resource(
        owner, name="part", type_id=key, status="draft", data={"inside": str(rows["whole"].id)}
    )
    rows["named"] = create_resource(owner, name="named", type_id=key, external_id="e1", data={})
    stranger = create_user(name=f"Other {key}")
    rows["foreign"] = create_resource(stranger, name="foreign", type_id=key, status="draft")
    rows["read"] = create_resource(stranger, name="read", type_id=key, status="draft", visibility="internal")
    rows["edited"] = create_resource(stranger, name="edited", type_id=key, status="draft", data={"total": 1})
    share(rows["edited"], owner, Level.EDITOR)
    for name in ("one", "two", "both", "gone"):
        for path in rows[name].data:
            take(rows[name], path)
    ResourceReference.objects.create(resource=rows["below"], path="above", target=rows["above"], on_delete="restrict")
    ResourceReference.objects.create(resource=rows["part"], path="inside", target=rows["whole"], on_delete="cascade")
    share(rows["plain"], reader, Level.VIEWER)
    Watch.objects.create(resource=rows["plain"], user=reader)
    return rows


def take(row: Resource, path: str) -> None:
    digest = digest_of(row.data[path])
    UniqueValue.objects.create(type_id=row.type_key, path=path, digest=digest, resource=row)


def script(key: str, rows: dict[str, Resource]) -> list[dict[str, Any]]:
    """Operations of which many depend on the ones before them."""

    def update(row: str, /, **values: Any) -> dict[str, Any]:
        return {"op": "update", "id": str(rows[row].id), **values}

    def on(op: str, row: str, /, **values: Any) -> dict[str, Any]:
        return {"op": op, "id": str(rows[row].id), **values}

    def create(name: str, /, **values: Any) -> dict[str, Any]:
        return {"op": "create", "type": key, "name": name, **values}

    return [
        update("one", data={"number": "2"}),
        update("two", data={"number": "7"}),
        update("one", data={"number": "2"}),
        create("n1", data={"number": "1"}),
        create("n2", data={"number": "1", "code": "free"}),
        create("n3", data={"code": "free", "secret": "s3"}),
        create("n4", data={"number": "3", "code": "c"}),
        create("e1", external_id="e1"),
        create("e2", external_id="e2", data={"above": str(uuid4())}),
        create("e3", external_id="e2"),
        update("named", external_id="e3"),
        create("e4", external_id="e1"),
        update("plain", name="Plainer", tags=["b", "a"], data={"secret": "s", "above": str(rows["target"].id)}),
        update("hidden", data={"margin": 6}),
        update("hidden", data={"total": 3}),
        update("hidden", data={"total": 3}),
        update("empty", data={"total": "many"}),
        update("foreign", name="Mine"),
        update("read", name="Mine"),
        update("edited", name="Ours", description="Both of us"),
        update("edited", visibility="public"),
        update("edited", version=1, name="Late"),
        on("transition", "plain", transition="send"),
        on("transition", "plain", transition="send"),
        on("transition", "empty", transition="send"),
        on("transition", "edited", transition="send"),
        on("transition", "target", transition="pay"),
        on("delete", "target"),
        on("delete", "above"),
        on("delete", "below"),
        on("delete", "above"),
        on("restore", "below"),
        on("restore", "above"),
        on("restore", "below"),
        on("delete", "whole"),
        update("part", name="Too late"),
        on("restore", "whole"),
        update("part", name="There again"),
        on("delete", "gone"),
        create("n9", data={"number": "9"}),
        on("restore", "gone"),
        on("delete", "read"),
        on("delete", "foreign"),
        on("restore", "foreign"),
        on("delete", "named"),
        create("e5", external_id="e3"),
        on("restore", "named"),
    ]  # fmt: skip


def alone(client: Client, operation: dict[str, Any]) -> Any:
    """The call that does the same."""
    op, row_id = operation["op"], operation.get("id")
    values = {name: value for name, value in operation.items() if name not in {"op", "id", "version", "transition"}}
    headers = {"If-Match": f'"{operation["version"]}"'} if "version" in operation else {}
    path = f"/api/v1/resources/{row_id}"
    if op == "create":
        return client.post("/api/v1/resources", values, "application/json")
    if op == "update":
        return client.patch(path, values, "application/json", headers=headers)
    if op == "delete":
        return client.delete(path)
    return client.post(f"{path}/restore" if op == "restore" else f"{path}/transitions/{operation['transition']}")


def told(one: dict[str, Any], rows: dict[str, Resource]) -> tuple[Any, ...]:
    """What is said of an operation, with names instead of ids."""
    names = {str(row.id): name for name, row in rows.items()}
    error = one["error"]
    details = (
        [{**detail, "message": names.get(detail["message"], detail["message"])} for detail in error["details"]]
        if error
        else []
    )
    return one["status"], one["version"], error and error["code"], details


def told_alone(answer: Any) -> dict[str, Any]:
    body = answer.json() if answer.content else {}
    error = body.get("error")
    data = body.get("data") or {}
    return {
        "status": answer.status_code,
        "version": data.get("version"),
        "error": error and {"code": error["code"], "details": error["details"]},
    }


def left(key: str, rows: dict[str, Resource]) -> dict[str, Any]:
    """Everything that the operations leave behind, by names instead of ids."""
    records = Resource.all_objects.filter(type__key=key)
    names = {str(row.id): row.name for row in records} | {str(row.id): name for name, row in rows.items()}

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: "sealed" if isinstance(inner, str) and inner.startswith("nk1:") else named(inner)
                for name, inner in value.items()
                if name not in {"type", "readers", "owner"}
            }
        return [named(one) for one in value] if isinstance(value, list) else names.get(value, value)

    ids = list(names)
    events = Event.objects.filter(subject_type="resource", subject_id__in=ids)
    versions = ResourceHistory.objects.filter(resource__in=records)
    return {
        "records": sorted(
            (row.name, row.version, row.status, row.visibility, str(named(row.data)), row.tags, row.external_id or "",
             row.deleted_at is None, names[str(row.id)]) for row in records
        ),
        "versions": sorted(
            (names[str(one.resource_id)], one.number, one.action, str(one.changed), str(named(one.snapshot)))
            for one in versions
        ),
        "events": sorted(
            (names[one.subject_id], one.type, str(named(one.payload)), str(one.actor), len(one.audience))
            for one in events
        ),
        "values": sorted(
            (names[str(one.resource_id)], one.path, bytes(one.digest))
            for one in UniqueValue.objects.filter(type__key=key)
        ),
        "references": sorted(
            (names[str(one.resource_id)], one.path, names[str(one.target_id)], one.on_delete)
            for one in ResourceReference.objects.filter(resource__in=records)
        ),
    }  # fmt: skip


def test_nobody_can_tell_it_from_one_call_after_the_other(client: Client, owner: User, stranger: User) -> None:
    together, apart = (world(key, owner, stranger) for key in ("together", "apart"))

    answer = bulk(client, script("together", together))
    answers = [told_alone(alone(client, operation)) for operation in script("apart", apart)]

    results = answer.json()["data"]
    for place, (one, other) in enumerate(zip(results, answers, strict=True)):
        if one["op"] == "delete":
            # 204 has no body, so it says no version.
            other["version"] = one["version"]
        assert (place, told(one, together)) == (place, told(other, apart))
    found, wanted = left("together", together), left("apart", apart)
    for part, value in wanted.items():
        assert found[part] == value, part
    assert {one["status"] for one in results} == {200, 201, 204, 400, 403, 404, 409, 412}


def test_together_the_first_refusal_of_the_list_is_told_whatever_is_done_first(client: Client, owner: User) -> None:
    rows = world("bill", owner, owner)
    before = left("bill", rows)

    answer = bulk(
        client,
        [
            {"op": "create", "type": "bill", "name": "Fine"},
            {"op": "update", "id": str(rows["plain"].id), "name": "Fine"},
            {"op": "update", "id": str(rows["one"].id), "data": {"number": "2"}},
            {"op": "create", "type": "bill", "name": "Fine", "data": {"total": "many"}},
        ],
        atomic=True,
    )

    assert answer.status_code == 409
    assert answer.json()["error"]["details"] == [
        {"field": "operations.2.data.number", "code": "unique", "message": "Another one has this value already."}
    ]
    assert left("bill", rows) == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_of_two_at_once_each_value_goes_to_one(client_of: ClientOf) -> None:
    create_type("bill", schema=schema("bill"), workflow=WORKFLOW)
    user = create_user()
    clients = [client_of(user) for _ in range(2)]
    numbers = [str(number) for number in range(40)]

    def run(number: int) -> list[int]:
        order = numbers if number else numbers[::-1]
        operations = [{"op": "create", "type": "bill", "name": one, "data": {"number": one}} for one in order]
        try:
            return [one["status"] for one in bulk(clients[number], operations).json()["data"]]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        statuses = [status for found in pool.map(run, range(2)) for status in found]

    assert (statuses.count(201), statuses.count(409)) == (40, 40)
    assert UniqueValue.objects.count() == ResourceHistory.objects.count() == Resource.objects.count() == 40


def test_what_comes_back_is_not_asked_whether_what_it_refers_to_can_still_be_seen(client: Client, owner: User) -> None:
    create_type("note", schema={
        "type": "object",
        "properties": {"about": {"type": "string", "x-ref": {"type": "item", "on_delete": "set_null"}}},
    })  # fmt: skip
    stranger = create_user()
    binned, hidden = create_resource(owner), create_resource(stranger, visibility="internal")
    about = [str(binned.id), str(hidden.id)] * 2
    made = [client.post("/api/v1/resources", {"type": "note", "name": "Note", "data": {"about": one}}) for one in about]
    ids = [one.json()["data"]["id"] for one in made]
    bulk(client, [{"op": "delete", "id": one} for one in (*ids, str(binned.id))])
    Resource.objects.filter(pk=hidden.pk).update(visibility="private")

    alone = [client.post(f"/api/v1/resources/{one}/restore").status_code for one in ids[:2]]
    together = bulk(client, [{"op": "restore", "id": one} for one in ids[2:]]).json()["data"]

    assert alone == [one["status"] for one in together] == [200, 200]
    assert Resource.objects.filter(pk__in=ids).count() == 4
    assert ResourceReference.objects.filter(resource__in=ids).count() == 4
