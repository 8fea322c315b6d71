"""x-search: weights of full text by schema, and what is never found; manage.py reindex_search."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from core.models import Job
from core.permissions import SYSTEM
from resources.models import Resource
from resources.services import search_index, types
from resources.tests.factories import create_resource, create_type

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"


def schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"plain": {"type": "string"}, **properties}}


WEIGHTED = schema(
    number={"type": "string", "x-search": "A"},
    lines={"type": "array", "items": {"type": "string", "x-search": "B"}},
    aside={"type": "string", "x-search": "D"},
    salary={"type": "string", "x-read": ["admin"]},
)


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    """The owner's client."""
    return client_of(owner)


def found(client: Client, query: str) -> list[str]:
    response = client.get(PATH, {"q": query})
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["data"]]


def reindexed(*arguments: str) -> str:
    out = StringIO()
    call_command("reindex_search", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_values_rank_by_the_weight_that_the_schema_gives_them(client: Client) -> None:
    create_type("letter", schema=WEIGHTED)
    for name, data in {
        "first": {"number": "heron"},
        "second": {"lines": ["a", "the heron"]},
        "third": {"plain": "heron"},
        "fourth": {"aside": "heron"},
    }.items():
        assert client.post(PATH, {"type": "letter", "name": name, "data": data}).status_code == 201

    assert found(client, "heron") == ["first", "second", "third", "fourth"]
    assert found(client, '"the heron"') == ["second"]


def test_a_write_is_followed_in_its_own_transaction_in_bulk_too(client: Client) -> None:
    create_type("letter", schema=WEIGHTED)
    steps = [{"op": "create", "type": "letter", "name": name, "data": {"number": name}} for name in ("ibis", "crane")]
    (ibis, _) = client.post(f"{PATH}/bulk", {"operations": steps}).json()["data"]

    client.patch(f"{PATH}/{ibis['id']}", {"data": {"number": "stork"}})

    assert found(client, "stork") == ["ibis"]
    assert "'stork':2A" in str(Resource.all_objects.filter(id=ibis["id"]).values_list("search", flat=True)[0])


def test_what_not_everybody_may_read_is_found_by_nobody(
    client: Client, owner: User, admin: User, client_of: ClientOf
) -> None:
    create_type("letter", schema=WEIGHTED)
    create_resource(
        owner, name="pay", type_id="letter", data={"salary": "heron", "plain": "stork"}, visibility="internal"
    )

    assert found(client, "heron") == found(client_of(admin), "heron") == []
    assert found(client, "stork") == ["pay"]
    shown = client.get(PATH, {"q": "stork"}).json()["data"][0]
    assert "heron" not in str(shown["highlight"])


def test_a_changed_schema_is_followed_by_a_job_that_changes_nothing_else(
    client: Client, owner: User, drain: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "_BATCH", 2)
    create_type("letter", schema=schema(number={"type": "string"}, salary={"type": "string"}))
    for place in range(5):
        create_resource(owner, name=f"{place}", type_id="letter", data={"number": "heron", "salary": "secret"})
    before = list(Resource.objects.order_by("id").values("id", "version", "updated_at"))
    assert len(found(client, "secret")) == 5

    types.change_type(actor=SYSTEM, key="letter", changes={"schema": WEIGHTED})
    drain()

    assert found(client, "secret") == []
    assert len(found(client, "heron")) == 5
    vectors = Resource.all_objects.filter(type_id="letter").values_list("search", flat=True)
    assert all("'heron':2A" in str(vector) for vector in vectors)
    assert list(Resource.objects.order_by("id").values("id", "version", "updated_at")) == before
    job = Job.objects.get(kind=search_index.KIND)
    assert (job.state, job.total, job.done) == ("succeeded", 5, 5)
    client.patch(f"{PATH}/{before[0]['id']}", {"name": "renamed"})
    assert Resource.objects.get(id=before[0]["id"]).updated_at > before[0]["updated_at"]


def test_a_schema_that_says_nothing_new_of_search_starts_no_job(db: None) -> None:
    create_type("letter", schema=WEIGHTED)
    changed = {**WEIGHTED, "properties": {**WEIGHTED["properties"], "more": {"type": "number"}}}

    types.change_type(actor=SYSTEM, key="letter", changes={"schema": changed})

    assert not Job.objects.filter(kind=search_index.KIND).exists()


def test_the_command_writes_what_is_stale_and_leaves_the_rest(owner: User) -> None:
    create_type("letter", schema=WEIGHTED)
    for place in range(3):
        create_resource(owner, type_id="letter", data={"number": f"n{place}"})
    create_resource(owner, name="item")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE resources SET search = '' WHERE data ->> 'number' IN ('n0', 'n1')")

    assert reindexed("--type", "letter", "--dry-run") == "3 resource(s) looked at, 2 would be written anew."
    assert reindexed() == "4 resource(s) looked at, 2 written anew."
    assert reindexed("--type", "letter") == "3 resource(s) looked at, 0 written anew."


def test_the_command_refuses_a_type_that_there_is_not(db: None) -> None:
    with pytest.raises(CommandError, match="no type nothing"):
        reindexed("--type", "nothing")


def test_a_great_text_is_no_fault_whatever_it_weighs(client: Client) -> None:
    create_type("letter", schema=WEIGHTED)
    words = " ".join(f"{place:x}" for place in range(26_000))

    for data in ({"number": words}, {"plain": words}, {"number": words[:60_000], "plain": words[:60_000]}):
        assert client.post(PATH, {"type": "letter", "name": "long", "data": data}).status_code == 201
