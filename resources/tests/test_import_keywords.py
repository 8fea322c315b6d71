"""Imports into a type with keywords, and exports from it: the same rules as for single records, row by row."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core.identifiers import uuid7
from core.models import Event
from core.permissions import Caller
from core.tests.spine import Drain
from resources.models import Resource, ResourceReference, UniqueValue
from resources.services.importing.bulk_writing import Writer
from resources.services.importing.keyword_rows import KeywordRows
from resources.services.importing.rows import Row
from resources.services.records import type_named
from resources.tests.factories import create_resource, create_type
from resources.tests.transfers import ClientOf, ask_import, counts, faults, followed, job_of, lines, result_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "x-unique": True},
        "customer": {"type": "string", "x-ref": "item"},
        "iban": {"type": "string", "x-encrypted": True},
        "grade": {"type": "integer", "x-write": ["moderator"]},
        "salary": {"type": "integer", "x-read": ["moderator"]},
    },
}

pytestmark = pytest.mark.usefixtures("local_files")


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    create_type("letter", schema=SCHEMA)
    return client_of(owner)


@pytest.fixture
def imported(client: Client, drain: Drain) -> Any:
    def imported(*rows: dict[str, Any], **fields: str) -> dict[str, Any]:
        job = job_of(ask_import(client, lines(*rows), "rows.ndjson", **fields))
        drain()
        return followed(client, job)

    return imported


def row(name: str, **data: Any) -> dict[str, Any]:
    return {"name": name, "external_id": name, "data": data}


@pytest.mark.parametrize("dry", ["true", "false"])
def test_each_row_is_judged_by_the_keywords(client: Client, owner: User, imported: Any, dry: str) -> None:
    target = create_resource(owner)
    client.post("/api/v1/resources", {"type": "letter", "name": "there", "data": {"number": "taken"}})

    job = imported(
        row("a", number="1", customer=str(target.id), iban="DE1"),
        row("b", number="1"),
        row("c", number="taken"),
        row("d", customer=str(uuid4())),
        row("e", grade=3, salary=4),
        dry_run=dry,
    )

    assert counts(job) == ("succeeded", 5, 5, 4)
    assert sorted(faults(job)) == [
        ("2", "data.number", "unique"),
        ("3", "data.number", "unique"),
        ("4", "data.customer", "does_not_exist"),
        ("5", "data.grade", "not_writable"),
        ("5", "data.salary", "not_writable"),
    ]
    written = list(Resource.objects.filter(external_id__isnull=False))
    assert [one.external_id for one in written] == ([] if dry == "true" else ["a"])
    assert UniqueValue.objects.count() == (1 if dry == "true" else 2)
    if written:
        assert written[0].data["iban"].startswith("nk1:")
        assert ResourceReference.objects.get().target_id == target.id
        shown = client.get(f"/api/v1/resources/{written[0].id}").json()["data"]["data"]
        assert shown == {"number": "1", "customer": str(target.id), "iban": "DE1"}


def test_an_upsert_keeps_what_its_owner_may_not_write(client: Client, imported: Any) -> None:
    imported(row("a", number="1", iban="DE1"))
    one = Resource.objects.get(external_id="a")
    Resource.objects.filter(pk=one.pk).update(data={**one.data, "grade": 5, "salary": 4711})

    job = imported(row("a", number="2", iban="DE1"), row("b", number="1"), mode="upsert")

    assert counts(job) == ("succeeded", 2, 2, 0)
    changed = Resource.objects.get(external_id="a")
    assert changed.data == {"number": "2", "iban": one.data["iban"], "grade": 5, "salary": 4711}
    event = Event.objects.get(type="resource.updated", subject_id=str(one.pk))
    assert list(event.payload["after"]) == ["data.number"]
    assert not Event.objects.filter(payload__icontains="4711").exists()


def test_the_statements_do_not_grow_with_the_rows(client: Client, owner: User) -> None:
    targets = [create_resource(owner) for _ in range(40)]
    writer = Writer(Caller.of(owner), type_named("letter"))

    def cost(start: int, number: int) -> int:
        rows = [
            Row(
                place,
                id=str(uuid7()),
                name="x",
                data={"number": str(place), "customer": str(targets[place].id), "iban": "DE"},
            )
            for place in range(start, start + number)
        ]
        beside = KeywordRows(writer.actor, writer.owner_id, "letter", writer.keywords)
        with CaptureQueriesContext(connection) as queries:
            beside.judge(rows, {})
            writer.create(rows)
            beside.write()
        return len(queries)

    assert cost(0, 2) == cost(2, 30)


@pytest.mark.parametrize("format", ["csv", "json", "ndjson"])
def test_an_export_shows_what_its_asker_may_read(
    client: Client, owner: User, admin: User, client_of: ClientOf, drain: Drain, format: str
) -> None:
    body = {"type": "letter", "name": "there", "data": {"number": "1", "iban": "DE47110815", "salary": 77123}}
    assert client_of(admin).post("/api/v1/resources", body).status_code == 201
    Resource.objects.update(owner=owner)

    job = job_of(client.post("/api/v1/exports", {"type": "letter", "format": format}))
    drain()

    assert followed(client, job)["state"] == "succeeded"
    written = result_of(job)
    assert b"DE47110815" in written
    assert b"77123" not in written
    assert b"nk1:" not in written
