"""Numbers beyond 64 bit: PostgreSQL spells them out digit by digit, and every door takes what it has given."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.tests.spine import Drain
from resources.tests.factories import create_type
from resources.tests.transfers import ask_import, counts, followed, job_of, result_of

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
NUMBERS = ["1e308", "1e20", "-123456789012345678901234567890.5", "10000000000000000000.0", "5e-324"]

pytestmark = pytest.mark.usefixtures("local_files")


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    """The owner's client."""
    return client_of(owner)


@pytest.fixture(params=NUMBERS)
def number(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(client: Client, number: str) -> str:
    """A resource that holds the number."""
    made = written(client, "POST", PATH, f'{{"name": "Big", "data": {{"total": {number}}}}}')
    return f"{PATH}/{made['id']}"


def written(client: Client, method: str, path: str, body: str) -> Any:
    response = client.generic(method, path, body, "application/json")
    assert response.status_code in (200, 201), response.content
    return response.json()["data"]


def test_it_is_put_back_digit_by_digit_as_it_was_read_and_nothing_has_changed(
    client: Client, path: str, number: str
) -> None:
    digits = json.loads(client.get(path).content, parse_int=str, parse_float=str)["data"]["data"]["total"]

    after = written(client, "PUT", path, f'{{"name": "Big", "data": {{"total": {digits}}}}}')

    assert (after["version"], float(after["data"]["total"])) == (1, float(number))


def test_what_stands_beside_it_is_changed(client: Client, path: str, number: str) -> None:
    written(client, "PATCH", path, '{"name": "Renamed"}')
    after = written(client, "PATCH", path, '{"data": {"note": "x"}}')
    update = {"op": "update", "id": after["id"], "data": {"note": "y"}}
    written(client, "POST", f"{PATH}/bulk", json.dumps({"operations": [update]}))

    data = client.get(path).json()["data"]
    assert (data["name"], data["version"], data["data"]["note"]) == ("Renamed", 4, "y")
    assert float(data["data"]["total"]) == float(number)


def test_its_history_is_told_and_taken_back(client: Client, path: str, number: str) -> None:
    written(client, "PATCH", path, '{"data": {"total": 1}}')
    read = partial(client.get, headers={"accept": "application/json"})

    first = read(f"{path}/versions/1").json()["data"]["snapshot"]["data"]
    [change] = read(f"{path}/versions/1/diff/2").json()["data"]["changes"]
    [_, made] = read(f"{path}/events").json()["data"]
    reverted = written(client, "POST", f"{path}/revert", '{"version": 1}')

    told = (first["total"], change["before"], made["payload"]["after"]["data"]["total"], reverted["data"]["total"])
    assert {float(one) for one in told} == {float(number)}


@pytest.mark.parametrize("format_", ["csv", "json", "ndjson"])
def test_an_export_of_it_is_imported(client: Client, path: str, number: str, format_: str, drain: Drain) -> None:
    job = job_of(client.post("/api/v1/exports", {"format": format_}, content_type="application/json"))
    drain()
    content = result_of(job)

    again = job_of(ask_import(client, content, f"rows.{format_}", type="item"))
    drain()

    assert counts(followed(client, again)) == ("succeeded", 1, 1, 0)
    assert [float(one["data"]["total"]) for one in client.get(PATH).json()["data"]] == [float(number)] * 2


def test_a_schema_that_holds_it_is_read_and_judges(client: Client, admin: User, client_of: ClientOf) -> None:
    total = {"type": "number", "maximum": 1e300, "default": 1e20}
    create_type("sum", schema={"type": "object", "properties": {"total": total}})
    staff = client_of(admin)

    shown = staff.get("/api/v1/resource-types/sum").json()["data"]
    [version] = staff.get("/api/v1/resource-types/sum/versions").json()["data"]
    refused = client.post(PATH, {"type": "sum", "name": "x", "data": {"total": 1e301}})

    assert (shown["schema"], version["schema"]) == ({"type": "object", "properties": {"total": total}},) * 2
    assert staff.get("/api/v1/resource-types").status_code == 200
    assert [one["field"] for one in refused.json()["error"]["details"]] == ["data.total"]
