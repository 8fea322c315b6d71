"""`x-unique`: one live record of a type has a value, whoever owns it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from core.models import Event
from resources.models import Resource, UniqueValue
from resources.tests.factories import create_type

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
TYPES = "/api/v1/resource-types"
PLAIN: dict[str, Any] = {"type": "object", "properties": {"number": {"type": ["string", "number", "null"]}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"number": {"type": ["string", "number", "null"], "x-unique": True}},
}


@pytest.fixture
def invoice(db: None) -> None:
    """A type whose number is unique."""
    create_type("invoice", schema=SCHEMA)


def make(client: Client, number: Any, name: str = "March") -> Any:
    return client.post(PATH, {"type": "invoice", "name": name, "data": {"number": number}})


def details(answer: Any) -> list[tuple[str, str]]:
    return [(detail["field"], detail["code"]) for detail in answer.json()["error"]["details"]]


@pytest.mark.usefixtures("invoice")
def test_a_taken_value_is_refused_whoever_has_it(client_of: ClientOf, owner: User, stranger: User) -> None:
    assert make(client_of(owner), "2026-03").status_code == 201

    answer = make(client_of(stranger), "2026-03")

    assert (answer.status_code, details(answer)) == (409, [("data.number", "unique")])
    assert Resource.objects.count() == 1
    assert Event.objects.filter(type="resource.created").count() == 1


@pytest.mark.usefixtures("invoice")
@pytest.mark.parametrize(
    ("first", "second", "status"), [(1, 1.0, 409), (1, "1", 201), ("a", "A", 201), (None, None, 201)]
)
def test_values_are_equal_as_json_says(client_of: ClientOf, owner: User, first: Any, second: Any, status: int) -> None:
    make(client_of(owner), first)

    assert make(client_of(owner), second).status_code == status


@pytest.mark.usefixtures("invoice")
def test_a_changed_value_is_free_again(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    row = make(client, "a").json()["data"]
    assert client.patch(f"{PATH}/{row['id']}", {"data": {"number": "b"}}).status_code == 200

    assert make(client, "a").status_code == 201
    taken = client.patch(f"{PATH}/{row['id']}", {"data": {"number": "a"}})

    assert (taken.status_code, details(taken)) == (409, [("data.number", "unique")])
    assert Resource.objects.get(pk=row["id"]).data == {"number": "b"}


@pytest.mark.usefixtures("invoice")
def test_the_bin_frees_a_value_and_a_restore_takes_it_again(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    row = make(client, "a").json()["data"]
    client.delete(f"{PATH}/{row['id']}")
    other = make(client, "a").json()["data"]

    refused = client.post(f"{PATH}/{row['id']}/restore")

    assert (refused.status_code, details(refused)) == (409, [("data.number", "unique")])
    assert Resource.all_objects.get(pk=row["id"]).deleted_at is not None
    client.delete(f"{PATH}/{other['id']}")
    assert client.post(f"{PATH}/{row['id']}/restore").status_code == 200
    assert make(client, "a").status_code == 409


@pytest.mark.usefixtures("invoice")
def test_a_revert_is_refused_when_its_value_is_taken(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    row = make(client, "a").json()["data"]
    client.patch(f"{PATH}/{row['id']}", {"data": {"number": "b"}})
    make(client, "a")

    answer = client.post(f"{PATH}/{row['id']}/revert", {"version": 1})

    assert (answer.status_code, details(answer)) == (409, [("data.number", "unique")])


@pytest.mark.usefixtures("invoice")
def test_in_bulk_the_path_has_its_place(client_of: ClientOf, owner: User) -> None:
    one = {"op": "create", "type": "invoice", "name": "March", "data": {"number": "a"}}

    answer = client_of(owner).post(f"{PATH}/bulk", {"operations": [one, one]})

    assert (answer.status_code, details(answer)) == (409, [("operations.1.data.number", "unique")])
    assert not Resource.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("invoice")
def test_of_many_at_once_one_wins(client_of: ClientOf, owner: User) -> None:
    clients = [client_of(owner) for _ in range(20)]

    def attempt(client: Client) -> int:
        try:
            return int(make(client, "a").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(attempt, clients))

    assert sorted(answers) == [201] + [409] * 19
    assert Resource.objects.count() == 1


def test_a_type_with_duplicates_is_not_made_unique(client_of: ClientOf, owner: User, admin: User) -> None:
    create_type("invoice", schema=PLAIN)
    client = client_of(owner)
    first, second, _ = (make(client, number).json()["data"]["id"] for number in ("a", "a", "b"))

    refused = client_of(admin).patch(f"{TYPES}/invoice", {"schema": SCHEMA})

    assert refused.status_code == 409
    assert [detail["message"] for detail in refused.json()["error"]["details"]] == ["1", second]
    assert not UniqueValue.objects.exists()
    assert client_of(admin).patch(f"{TYPES}/invoice", {"schema": SCHEMA, "force": True}).status_code == 200
    assert set(UniqueValue.objects.values_list("resource_id", flat=True)) >= {Resource.objects.get(pk=first).pk}
    assert make(client, "a").status_code == 409
    assert make(client, "b").status_code == 409
    # The one that came later keeps its value, and may be changed in all else.
    assert client.patch(f"{PATH}/{second}", {"name": "Other"}).status_code == 200


def test_a_value_is_free_when_the_keyword_goes(client_of: ClientOf, owner: User, admin: User) -> None:
    create_type("invoice", schema=SCHEMA)
    make(client_of(owner), "a")

    client_of(admin).patch(f"{TYPES}/invoice", {"schema": PLAIN})

    assert make(client_of(owner), "a").status_code == 201
    assert not UniqueValue.objects.exists()


@pytest.mark.usefixtures("invoice")
def test_rows_that_got_out_of_step_are_found_and_written_anew(client_of: ClientOf, owner: User) -> None:
    first = make(client_of(owner), "a").json()["data"]["id"]
    UniqueValue.objects.all().delete()
    second = make(client_of(owner), "a").json()["data"]["id"]
    found, repaired, left = StringIO(), StringIO(), StringIO()

    with pytest.raises(SystemExit):
        call_command("revalidate", "--type", "invoice", stdout=found)
    with pytest.raises(SystemExit):
        call_command("revalidate", "--repair", stdout=repaired)

    assert found.getvalue().splitlines()[0] == f"invoice {first} out of step"
    assert repaired.getvalue().splitlines()[0] == f"invoice {second} out of step"
    Resource.objects.filter(pk=second).delete()
    call_command("revalidate", stdout=left)
    assert left.getvalue() == "0 resource(s) do not fit their type.\n"
