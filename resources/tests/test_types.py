"""/resource-types: what `data` may hold, and since when."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from core.models import Event
from core.tests.spine import Events
from resources.models import Resource, ResourceType, ResourceTypeVersion

PATH = "/api/v1/resource-types"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["number", "total"],
    "additionalProperties": False,
    "properties": {
        "number": {"type": "string", "pattern": "^[0-9-]+$"},
        "total": {"type": "number", "minimum": 0},
        "lines": {"type": "array", "items": {"type": "object", "required": ["text"]}},
    },
}
WORKFLOW = {
    "initial": "draft",
    "states": ["draft", "sent"],
    "transitions": [{"name": "send", "from": ["draft"], "to": "sent", "require": ["total"], "allow": ["owner"]}],
}
INVOICE = {"key": "invoice", "name": "Invoice", "schema": SCHEMA, "workflow": WORKFLOW}


@pytest.fixture
def staff(client_of: Any, admin: User) -> Client:
    client: Client = client_of(admin)
    return client


@pytest.fixture
def invoice(staff: Client) -> dict[str, Any]:
    """The type `invoice`, as the API answered its making."""
    made: dict[str, Any] = staff.post(PATH, INVOICE).json()["data"]
    return made


def details(answer: Any) -> list[tuple[str, str]]:
    return [(detail["field"], detail["code"]) for detail in answer.json()["error"]["details"]]


def test_an_administrator_makes_a_type_without_a_deploy(staff: Client, events: Events) -> None:
    answer = staff.post(PATH, INVOICE)

    assert (answer.status_code, answer["Location"], answer["ETag"]) == (201, f"{PATH}/invoice", '"1"')
    assert answer.json()["data"] == {
        **INVOICE,
        "description": "",
        "icon": "",
        "schema_version": 1,
        "default_visibility": "private",
        "comments": True,
        "trash_days": 30,
    }
    assert staff.get(f"{PATH}/invoice").json()["data"] == answer.json()["data"]
    assert [event.type for event in events("resource_type.*")] == ["resource_type.created"]


def test_a_record_begins_in_the_first_state_and_is_judged_by_the_schema(
    client_of: Any, owner: User, invoice: dict[str, Any]
) -> None:
    client = client_of(owner)

    good = client.post("/api/v1/resources", {"type": "invoice", "name": "A", "data": {"number": "1", "total": 2}})
    bad = client.post(
        "/api/v1/resources",
        {"type": "invoice", "name": "B", "data": {"number": "one", "lines": [{}], "extra": 1}},
    )

    assert (good.status_code, good.json()["data"]["status"], good.json()["data"]["schema_version"]) == (201, "draft", 1)
    assert bad.status_code == 400
    assert sorted(details(bad)) == [
        ("data.extra", "unknown_field"),
        ("data.lines.0.text", "required"),
        ("data.number", "pattern"),
        ("data.total", "required"),
    ]
    assert Resource.objects.count() == 1


@pytest.mark.parametrize("method", ["patch", "put"])
def test_a_change_is_judged_whole(client_of: Any, owner: User, invoice: dict[str, Any], method: str) -> None:
    client = client_of(owner)
    made = client.post("/api/v1/resources", {"type": "invoice", "name": "A", "data": {"number": "1", "total": 2}})
    path = f"/api/v1/resources/{made.json()['data']['id']}"

    answer = getattr(client, method)(path, {"name": "A", "data": {"number": "1", "total": -2}})

    assert (answer.status_code, details(answer)) == (400, [("data.total", "minimum")])
    assert client.get(path).json()["data"]["version"] == 1
    assert Event.objects.filter(type="resource.updated").count() == 0


def test_a_message_names_the_rule_and_not_the_value(client_of: Any, owner: User, invoice: dict[str, Any]) -> None:
    body = {"type": "invoice", "name": "A", "data": {"number": "a-secret-value", "total": 1}}

    answer = client_of(owner).post("/api/v1/resources", body)

    assert answer.status_code == 400
    assert "a-secret-value" not in answer.content.decode()


def test_a_changed_schema_is_a_new_version_and_the_old_ones_stay(staff: Client, invoice: dict[str, Any]) -> None:
    changed = {**SCHEMA, "properties": {**SCHEMA["properties"], "note": {"type": "string"}}}

    answer = staff.patch(f"{PATH}/invoice", {"schema": changed})
    versions = staff.get(f"{PATH}/invoice/versions").json()["data"]

    assert (answer.status_code, answer.json()["data"]["schema_version"]) == (200, 2)
    assert [(version["schema_version"], version["schema"]) for version in versions] == [(2, changed), (1, SCHEMA)]


def test_what_is_not_the_schema_makes_no_version(staff: Client, invoice: dict[str, Any]) -> None:
    answer = staff.patch(f"{PATH}/invoice", {"name": "Bill", "trash_days": 90})

    assert (answer.json()["data"]["schema_version"], answer["ETag"]) == (1, '"2"')
    assert ResourceTypeVersion.objects.filter(type__key="invoice").count() == 1


def test_live_rows_that_would_not_fit_stop_a_schema_unless_forced(
    staff: Client, client_of: Any, owner: User, invoice: dict[str, Any]
) -> None:
    client = client_of(owner)
    bodies = [{"type": "invoice", "name": "A", "data": {"number": "1", "total": total}} for total in (1, 20, 30)]
    ids = [client.post("/api/v1/resources", body).json()["data"]["id"] for body in bodies]
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "total": {"type": "number", "maximum": 9}}}

    refused = staff.put(f"{PATH}/invoice", {**INVOICE, "schema": schema})
    unchanged = staff.get(f"{PATH}/invoice").json()["data"]
    forced = staff.put(f"{PATH}/invoice", {**INVOICE, "schema": schema, "force": True})
    read = client.get(f"/api/v1/resources/{ids[1]}")
    renamed = client.patch(f"/api/v1/resources/{ids[1]}", {"name": "B"})
    mended = client.patch(f"/api/v1/resources/{ids[1]}", {"data": {"total": 8}})

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    assert refused.json()["error"]["message"] == "2 resource(s) would not fit; `force` changes the type all the same."
    told = refused.json()["error"]["details"]
    assert [detail["message"] for detail in told if detail["code"] == "misfit"] == ids[1:]
    assert unchanged == invoice
    assert (forced.status_code, forced.json()["data"]["schema_version"]) == (200, 2)
    assert (read.status_code, read.json()["data"]["schema_version"]) == (200, 1)
    assert (renamed.status_code, details(renamed)) == (400, [("data.total", "maximum")])
    assert (mended.status_code, mended.json()["data"]["schema_version"]) == (200, 2)


def test_a_state_that_rows_are_in_is_not_taken_away(
    staff: Client, client_of: Any, owner: User, invoice: dict[str, Any]
) -> None:
    client_of(owner).post("/api/v1/resources", {"type": "invoice", "name": "A", "data": {"number": "1", "total": 1}})

    answer = staff.patch(f"{PATH}/invoice", {"workflow": {"initial": "sent", "states": ["sent"], "transitions": []}})

    assert answer.status_code == 409
    assert ResourceType.objects.get(key="invoice").workflow == WORKFLOW


def test_a_type_with_resources_is_not_deleted(
    staff: Client, client_of: Any, owner: User, invoice: dict[str, Any]
) -> None:
    client = client_of(owner)
    body = {"type": "invoice", "name": "A", "data": {"number": "1", "total": 1}}
    made = client.post("/api/v1/resources", body).json()["data"]

    with_live = staff.delete(f"{PATH}/invoice")
    client.delete(f"/api/v1/resources/{made['id']}")
    with_binned = staff.delete(f"{PATH}/invoice")
    Resource.all_objects.all().delete()
    empty = staff.delete(f"{PATH}/invoice")

    assert [answer.status_code for answer in (with_live, with_binned, empty)] == [409, 409, 204]
    assert not ResourceType.objects.filter(key="invoice").exists()


def test_a_type_that_another_one_names_is_not_deleted(staff: Client, invoice: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"bill": {"type": "string", "x-ref": "invoice"}}}
    itself = {"type": "object", "properties": {"part_of": {"type": "string", "x-ref": "payment"}}}
    staff.post(PATH, {"key": "payment", "name": "Payment", "schema": schema})

    refused = staff.delete(f"{PATH}/invoice")
    changed = staff.patch(f"{PATH}/payment", {"schema": itself})

    assert refused.status_code == 409
    assert refused.json()["error"]["message"] == "This type is in use: the schema of payment refers to it."
    assert changed.status_code == 200
    assert [staff.delete(f"{PATH}/{key}").status_code for key in ("invoice", "payment")] == [204, 204]


def test_the_item_stays_what_it_is(staff: Client) -> None:
    answers = [
        staff.delete(f"{PATH}/item"),
        staff.patch(f"{PATH}/item", {"schema": SCHEMA}),
        staff.patch(f"{PATH}/item", {"workflow": WORKFLOW}),
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 409]
    assert ResourceType.objects.get(key="item").schema == {"type": "object"}


def test_a_stale_version_is_not_written_over(staff: Client, invoice: dict[str, Any]) -> None:
    staff.patch(f"{PATH}/invoice", {"name": "Bill"})

    answer = staff.patch(f"{PATH}/invoice", {"name": "Note"}, headers={"If-Match": '"1"'})

    assert answer.status_code == 412
    assert ResourceType.objects.get(key="invoice").name == "Bill"


def test_a_type_that_was_read_can_be_made_again(staff: Client, invoice: dict[str, Any]) -> None:
    staff.delete(f"{PATH}/invoice")

    made = staff.post(PATH, {**invoice, "schema_version": 3})

    assert (made.status_code, made.json()["data"]) == (201, invoice)


def test_a_key_is_taken_once(staff: Client, invoice: dict[str, Any]) -> None:
    answer = staff.post(PATH, INVOICE)

    assert (answer.status_code, details(answer)) == (409, [("key", "unique")])


def test_whoever_is_no_administrator_only_reads(client_of: Any, moderator: User, invoice: dict[str, Any]) -> None:
    client = client_of(moderator)

    statuses = [
        client.get(f"{PATH}/invoice").status_code,
        client.post(PATH, {**INVOICE, "key": "other"}).status_code,
        client.patch(f"{PATH}/invoice", {"name": "Mine"}).status_code,
        client.delete(f"{PATH}/invoice").status_code,
    ]

    assert statuses == [200, 403, 403, 403]
    assert list(ResourceType.objects.order_by("key").values_list("name", flat=True)) == ["Invoice", "Item"]


def test_revalidate_names_what_does_not_fit(
    staff: Client, client_of: Any, owner: User, invoice: dict[str, Any]
) -> None:
    body = {"type": "invoice", "name": "A", "data": {"number": "1", "total": 1}}
    made = client_of(owner).post("/api/v1/resources", body).json()["data"]
    clean = StringIO()
    call_command("revalidate", stdout=clean)
    staff.patch(f"{PATH}/invoice", {"schema": {"type": "object", "required": ["customer"]}, "force": True})

    found = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("revalidate", "--type", "invoice", stdout=found)

    assert clean.getvalue() == "0 resource(s) do not fit their type.\n"
    assert found.getvalue() == f"invoice {made['id']}\n1 resource(s) do not fit their type.\n"
    assert ended.value.code == 1
