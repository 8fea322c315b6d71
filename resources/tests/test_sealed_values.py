"""`x-encrypted`: ciphertext wherever it is kept, the value wherever somebody may read it."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from core.models import Event
from resources.models import Resource, ResourceVersion
from resources.tests.factories import create_resource, create_type

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
TYPES = "/api/v1/resource-types"
PLAIN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "iban": {"type": "string", "pattern": "^DE"},
        "health": {"type": "object"},
        "note": {"type": "string"},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "iban": {"type": "string", "pattern": "^DE", "x-encrypted": True},
        "health": {"type": "object", "x-encrypted": True},
        "note": {"type": "string"},
    },
}
DATA = {"iban": "DE4711", "health": {"weight": 81.5, "blood": "A"}, "note": "open"}
WORDS = ("DE4711", "81.5", "blood")


def everything_stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT string_agg(t::text, ' ') FROM resources t) || (SELECT string_agg(t::text, ' ') FROM"
            " resource_versions t) || (SELECT string_agg(t::text, ' ') FROM events t WHERE type LIKE 'resource.%')"
        )
        return str(cursor.fetchone()[0])


@pytest.fixture
def patient(client_of: ClientOf, owner: User) -> str:
    """A record with encrypted values."""
    create_type("patient", schema=SCHEMA)
    answer = client_of(owner).post(PATH, {"type": "patient", "name": "Sam", "data": DATA})
    assert answer.json()["data"]["data"] == DATA
    return str(answer.json()["data"]["id"])


def test_what_is_kept_is_ciphertext_everywhere(client_of: ClientOf, owner: User, patient: str) -> None:
    client = client_of(owner)
    client.patch(f"{PATH}/{patient}", {"data": {"iban": "DE0815"}})
    client.delete(f"{PATH}/{patient}")
    client.post(f"{PATH}/{patient}/restore")

    stored = everything_stored()

    assert not any(word in stored for word in (*WORDS, "DE0815"))
    assert Resource.objects.get(pk=patient).data["note"] == "open"


@pytest.mark.parametrize(
    "query", ["", "?cursor=", "?fields=data", "?fields=data.iban,data.health,data.note", "?type=patient&sort=name"]
)
def test_lists_show_the_value(client_of: ClientOf, owner: User, patient: str, query: str) -> None:
    create_resource(owner, data={"iban": "nk1:k:not sealed at all"})

    listed = client_of(owner).get(f"{PATH}{query}").json()["data"]

    assert DATA in [row["data"] for row in listed]
    if "type" not in query:
        assert {"iban": "nk1:k:not sealed at all"} in [row["data"] for row in listed]
    if query == "?fields=data":
        assert all(row.keys() == {"data"} for row in listed)


def test_versions_and_their_difference_are_open(client_of: ClientOf, owner: User, patient: str) -> None:
    client = client_of(owner)
    client.patch(f"{PATH}/{patient}", {"data": {"iban": "DE0815", "note": "b"}})

    listed = client.get(f"{PATH}/{patient}/versions").json()["data"]
    first = client.get(f"{PATH}/{patient}/versions/1").json()["data"]["snapshot"]["data"]
    changes = client.get(f"{PATH}/{patient}/versions/1/diff/2").json()["data"]["changes"]

    assert listed[0]["changed"] == ["data.iban", "data.note"]
    assert first == DATA
    assert changes[0] == {"path": "data.iban", "before": "DE4711", "after": "DE0815"}
    reverted = client.post(f"{PATH}/{patient}/revert", {"version": 1}).json()["data"]
    assert reverted["data"] == DATA


def test_a_patch_merges_into_the_value(client_of: ClientOf, owner: User, patient: str) -> None:
    client = client_of(owner)
    before = Resource.objects.get(pk=patient).data

    answer = client.patch(f"{PATH}/{patient}", {"data": {"health": {"weight": 80, "blood": None}}})

    assert answer.json()["data"]["data"] == {**DATA, "health": {"weight": 80}}
    after = Resource.objects.get(pk=patient).data
    assert (after["iban"] == before["iban"], after["health"] == before["health"]) == (True, False)
    same = client.put(f"{PATH}/{patient}", {"name": "Sam", "data": {**DATA, "health": {"weight": 80}}})
    assert same.json()["data"]["version"] == 2


def test_the_schema_judges_the_value(client_of: ClientOf, owner: User, patient: str) -> None:
    answer = client_of(owner).patch(f"{PATH}/{patient}", {"data": {"iban": "FR1"}})

    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "data.iban"
    assert "FR1" not in answer.content.decode()


def test_ciphertext_serves_in_no_other_place(client_of: ClientOf, owner: User, stranger: User, patient: str) -> None:
    taken = Resource.objects.get(pk=patient).data
    client = client_of(stranger)
    other = client.post(PATH, {"name": "x", "data": taken}).json()["data"]
    client_of(owner).patch(f"{PATH}/{patient}", {"data": {"note": taken["iban"]}})

    assert other["data"] == taken
    assert client_of(owner).get(f"{PATH}/{patient}").json()["data"]["data"]["note"] == taken["iban"]


def test_a_changed_bit_opens_no_more_and_stops_no_list(client_of: ClientOf, owner: User, patient: str) -> None:
    data = Resource.objects.get(pk=patient).data
    broken = data["iban"][:-6] + ("AAAA" if data["iban"][-6:-2] != "AAAA" else "BBBB") + data["iban"][-2:]
    Resource.objects.filter(pk=patient).update(data={**data, "iban": broken})

    shown = client_of(owner).get(PATH).json()["data"][0]["data"]

    assert shown == {**DATA, "iban": broken}


@pytest.mark.parametrize("back", [False, True])
def test_a_changed_type_seals_and_opens_what_is_there(
    client_of: ClientOf, owner: User, admin: User, back: bool
) -> None:
    create_type("patient", schema=PLAIN)
    client = client_of(owner)
    row = client.post(PATH, {"type": "patient", "name": "Sam", "data": DATA}).json()["data"]
    client.patch(f"{PATH}/{row['id']}", {"data": {"note": "b"}})
    client.delete(f"{PATH}/{row['id']}")
    client_of(admin).patch(f"{TYPES}/patient", {"schema": SCHEMA})
    if back:
        client_of(admin).patch(f"{TYPES}/patient", {"schema": PLAIN})

    kept = [Resource.all_objects.get().data, *ResourceVersion.objects.values_list("snapshot__data", flat=True)]

    assert all((one["iban"] == "DE4711") is back for one in kept)
    assert client.post(f"{PATH}/{row['id']}/restore").status_code == 200
    assert client.get(f"{PATH}/{row['id']}/versions/1").json()["data"]["snapshot"]["data"] == DATA


def test_rows_are_judged_by_what_they_say(client_of: ClientOf, owner: User, admin: User, patient: str) -> None:
    properties = {**SCHEMA["properties"], "iban": {"type": "string", "maxLength": 6, "x-encrypted": True}}

    answer = client_of(admin).patch(f"{TYPES}/patient", {"schema": {**SCHEMA, "properties": properties}})

    assert answer.status_code == 200


def test_the_keys_are_changed_here_too(client_of: ClientOf, owner: User, patient: str, settings: Any) -> None:
    old = settings.ENCRYPTION_KEYS
    new = "fresh:" + "QUJD" * 10 + "QUI="
    settings.ENCRYPTION_KEYS = f"{new},{old}"
    dry, done = StringIO(), StringIO()
    call_command("rotate_keys", "--dry-run", stdout=dry)

    call_command("rotate_keys", stdout=done)

    settings.ENCRYPTION_KEYS = new
    assert "resources.resource.data: 1" in dry.getvalue()
    assert "no other key is needed any more" in done.getvalue()
    assert client_of(owner).get(f"{PATH}/{patient}/versions/1").json()["data"]["snapshot"]["data"] == DATA
    assert Resource.objects.get(pk=patient).version == 1


def test_a_filter_cannot_ask_for_it(client_of: ClientOf, admin: User) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "x-encrypted": True, "x-unique": True}}}

    answer = client_of(admin).post(TYPES, {"key": "a", "name": "A", "schema": schema})

    assert answer.status_code == 400


def test_events_say_that_it_changed(client_of: ClientOf, owner: User, patient: str) -> None:
    client_of(owner).patch(f"{PATH}/{patient}", {"data": {"iban": "DE1"}})

    event = Event.objects.get(type="resource.updated", subject_id=patient)

    assert list(event.payload["after"]) == ["data.iban"]
    assert event.payload["after"]["data.iban"].startswith("nk1:")
