"""The first version of a resource is the resource itself, until the second one comes: nobody can tell."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from core.permissions import SYSTEM, Caller
from core.tests.spine import Drain
from resources.models import Resource, ResourceHistory, ResourceVersion
from resources.services.records import Content, create_resource
from resources.services.writing import state_of
from resources.tests.factories import create_file, create_type
from resources.tests.test_bulk import WORKFLOW
from resources.tests.transfers import ask_import, counts, followed, job_of

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
ODD: dict[str, dict[str, Any]] = {
    "nothing": {},
    "numbers": {"data": {"a": 1.0, "b": 1e300, "c": -0.0, "d": 2**53, "e": 1e-7, "f": 120.50}},
    "scripts": {
        "name": 'é "quoted" \\ \u2028',
        "tags": ["Straße", 'a,"b"', "İ", "{}"],
        "data": {"名前": "\U0001f600", "a.b": None},
    },
    "nesting": {"data": {"a": [[], {}, [None, True]], "": ""}, "description": "one\ntwo\tthree"},
    "ids": {"external_id": "NULL", "visibility": "public", "tags": []},
}


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    create_type("letter", workflow=WORKFLOW)
    return client_of(owner)


def made(client: Client, **body: Any) -> Resource:
    answer = client.post(PATH, {"name": "March", "type": "letter", **body})
    assert answer.status_code == 201, answer.content
    row: Resource = Resource.objects.get(pk=answer.json()["data"]["id"])
    return row


def history(row: Resource) -> list[Any]:
    """What the history says of a resource, oldest first; a version that is written has an id of its own."""
    rows = ResourceHistory.objects.filter(resource=row).order_by("number")
    return list(rows.values("number", "action", "actor_id", "created_at", "changed", "snapshot"))


def written(row: Resource) -> list[int]:
    return list(ResourceVersion.objects.filter(resource=row).order_by("number").values_list("number", flat=True))


def test_none_is_written_and_all_is_shown(client: Client, owner: User) -> None:
    row = made(client, data={"price": 1})

    listed = client.get(f"{PATH}/{row.pk}/versions").json()
    answer = client.get(f"{PATH}/{row.pk}/versions/1")

    assert written(row) == []
    assert listed["meta"]["total"] == 1
    assert (answer.status_code, answer["ETag"]) == (200, '"1"')
    assert answer.json()["data"] == {
        **listed["data"][0],
        "number": 1,
        "action": "created",
        "actor": {"id": str(owner.id), "name": "Olive Owner"},
        "created_at": client.get(f"{PATH}/{row.pk}").json()["data"]["created_at"],
        "snapshot": answer.json()["data"]["snapshot"],
    }
    assert answer.json()["data"]["snapshot"]["data"] == {"price": 1}
    assert client.get(f"{PATH}/{row.pk}/versions/2").status_code == 404


def test_the_second_write_writes_both_and_the_first_reads_as_before(client: Client) -> None:
    row = made(client, data={"price": 1}, tags=["a"])
    path = f"{PATH}/{row.pk}/versions"
    before = client.get(f"{path}/1").json()["data"], client.get(path).json()["data"][0]

    assert client.patch(f"{PATH}/{row.pk}", {"data": {"price": 2}}).status_code == 200

    assert written(row) == [1, 2]
    assert (client.get(f"{path}/1").json()["data"], client.get(path).json()["data"][1]) == before
    differences = client.get(f"{path}/1/diff/2").json()["data"]["changes"]
    assert differences == [{"path": "data.price", "before": 1, "after": 2}]
    pages = client.get(f"{path}?sort=number&per_page=1&cursor=").json()
    assert [one["number"] for one in pages["data"]] == [1]
    rest = client.get(f"{path}?sort=number&per_page=1&cursor={pages['meta']['next_cursor']}").json()
    assert [one["number"] for one in rest["data"]] == [2]


Act = Callable[[Client, Resource, Any], Any]


def _bulk(operation: dict[str, Any]) -> Act:
    def act(client: Client, row: Resource, context: Any) -> Any:
        body = {"atomic": True, "operations": [{**operation, "id": str(row.pk)}]}
        return client.post(f"{PATH}/bulk", body, "application/json")

    return act


def _upsert(client: Client, row: Resource, context: Any) -> Any:
    job = job_of(ask_import(client, "name,external_id\nApril,x\n", mode="upsert"))
    context["drain"]()
    assert counts(followed(client, job)) == ("succeeded", 1, 1, 0)


def _sql(statement: str) -> Act:
    def act(client: Client, row: Resource, context: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, [row.pk])

    return act


WAYS: dict[str, Act] = {
    "patch": lambda client, row, _: client.patch(f"{PATH}/{row.pk}", {"name": "April"}),
    "put": lambda client, row, _: client.put(f"{PATH}/{row.pk}", {"name": "April"}),
    "by external id": lambda client, row, _: client.put(f"{PATH}/by-external/letter/x", {"name": "April"}),
    "delete": lambda client, row, _: client.delete(f"{PATH}/{row.pk}"),
    "transition": lambda client, row, _: client.post(f"{PATH}/{row.pk}/transitions/send", {}),
    "transfer": lambda client, row, context: client.post(f"{PATH}/{row.pk}/transfer", {"owner": str(context["heir"])}),
    "revert": lambda client, row, _: client.post(f"{PATH}/{row.pk}/revert", {"version": 1}),
    "file": lambda client, row, context: client.post(f"{PATH}/{row.pk}/files", {"file": context["file"]}),
    "many": _bulk({"op": "update", "name": "April"}),
    "many deleted": _bulk({"op": "delete"}),
    "many in transition": _bulk({"op": "transition", "transition": "send"}),
    "import": _upsert,
    "statement": _sql("UPDATE resources SET version = 2, owner_id = owner_id, name = 'April' WHERE id = %s"),
    "leap": _sql("UPDATE resources SET version = version + 3, tags = '{}' WHERE id = %s"),
}


@pytest.mark.usefixtures("local_files")
@pytest.mark.parametrize("way", WAYS)
def test_whoever_writes_next_leaves_the_first_as_it_was(
    client: Client, owner: User, stranger: User, drain: Drain, way: str
) -> None:
    row = made(client, external_id="x", tags=["a"], data={"price": 1.0, "number": "7"})
    (before,) = history(row)
    file = create_file(owner)

    WAYS[way](client, row, {"heir": stranger.id, "file": str(file.pk), "drain": drain})

    row = Resource.all_objects.get(pk=row.pk)
    assert row.version > 1 or way == "revert", way
    assert history(row)[0] == before
    assert written(row)[:1] == ([1] if row.version > 1 else [])
    assert [one["number"] for one in history(row)] == ([1] if way in {"leap", "statement"} else [1, 2][: row.version])


@pytest.mark.parametrize("odd", ODD)
def test_all_three_spell_the_state_alike(client: Client, odd: str) -> None:
    row = made(client, **ODD[odd])
    with connection.cursor() as cursor:
        cursor.execute("SELECT snapshot::text FROM resource_history WHERE resource_id = %s", [row.pk])
        (shown,) = cursor.fetchone()
        cursor.execute("SELECT (payload -> 'after')::text FROM events WHERE subject_id = %s", [str(row.pk)])
        (by_python,) = cursor.fetchone()
        cursor.execute("UPDATE resources SET version = 2, data = '{}', name = 'x' WHERE id = %s", [row.pk])
        cursor.execute("SELECT snapshot::text FROM resource_versions WHERE resource_id = %s", [row.pk])
        (kept,) = cursor.fetchone()

    assert shown == kept == by_python


@pytest.mark.parametrize("is_system", [True, False])
def test_of_what_somebody_else_makes_it_is_written_at_once(owner: User, admin: User, is_system: bool) -> None:
    actor = SYSTEM if is_system else Caller.of(admin)

    row = create_resource(actor=actor, content=Content("March"), owner_id=owner.pk)

    assert written(row) == [1]
    (first,) = history(row)
    assert (first["action"], first["actor_id"], first["snapshot"]) == ("created", actor.id, state_of(row))
    row.version = 2
    row.save(update_fields=["version"])
    assert history(row) == [first]


def test_what_was_written_before_stays_and_is_shown_once(client: Client) -> None:
    row = made(client)
    kept = ResourceVersion.objects.create(
        resource=row, number=1, action="created", actor=None, snapshot={"name": "As it was"}, changed=["name"]
    )

    assert [(one["snapshot"], one["actor_id"]) for one in history(row)] == [({"name": "As it was"}, None)]
    assert client.patch(f"{PATH}/{row.pk}", {"name": "April"}).status_code == 200

    assert ResourceVersion.objects.get(resource=row, number=1).pk == kept.pk
    assert written(row) == [1, 2]


def test_a_write_that_is_taken_back_leaves_none(client: Client) -> None:
    row = made(client)

    answer = client.patch(f"{PATH}/{row.pk}", {"name": ""})

    assert (answer.status_code, written(row)) == (400, [])
    assert client.patch(f"{PATH}/{row.pk}", {"name": "March"}).status_code == 200
    assert written(row) == []


def test_one_is_read_by_the_indexes_of_both(client: Client) -> None:
    row = made(client)
    read = ResourceHistory.objects.filter(resource=row).select_related("actor").order_by("-number")[:21]
    theirs = ResourceHistory.objects.of(Resource.all_objects.filter(owner_id=row.owner_id)).order_by("pk")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")

    for explained in (read.explain(), theirs.explain()):
        assert explained.count("resources_pkey") == 1, explained
        assert explained.count("uq_resource_versions_resource_number") == 2, explained
