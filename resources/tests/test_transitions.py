"""Transitions: GET /resources/{id}/transitions and POST …/transitions/{name}."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.tests.factories import create_user
from core.models import Event
from core.tests.spine import Events
from resources.access import Level
from resources.models import Resource, ResourceType, ResourceVersion
from resources.tests.factories import create_resource, create_type, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
WORKFLOW: dict[str, Any] = {
    "initial": "draft",
    "states": ["draft", "sent", "paid", "void"],
    "transitions": [
        {"name": "send", "from": ["draft"], "to": "sent", "require": ["total", "customer.name"], "allow": ["editor"]},
        {"name": "pay", "from": ["sent"], "to": "paid", "allow": ["role:moderator"]},
        {"name": "void", "from": ["draft", "sent"], "to": "void", "allow": ["owner"]},
        {"name": "remind", "from": ["sent"], "to": "sent", "allow": ["viewer"]},
        {"name": "correct", "from": ["paid"], "to": "draft", "allow": []},
    ],
}
COMPLETE = {"total": 0, "customer": {"name": "Ann"}}


@pytest.fixture
def invoice(db: None) -> ResourceType:
    return create_type("invoice", workflow=WORKFLOW)


@pytest.fixture
def row(owner: User, invoice: ResourceType) -> Resource:
    """A draft that lacks nothing."""
    return create_resource(owner, type=invoice, status="draft", data=COMPLETE)


def go(client: Client, row: Resource, name: str, **options: Any) -> Any:
    return client.post(f"{PATH}/{row.id}/transitions/{name}", **options)


def names(client: Client, row: Resource) -> list[str]:
    return [offer["name"] for offer in client.get(f"{PATH}/{row.id}/transitions").json()["data"]]


def nothing_happened(row: Resource) -> bool:
    status, version = row.status, row.version
    row.refresh_from_db()
    told = Event.objects.filter(type="resource.transitioned").exists()
    return (row.status, row.version, told) == (status, version, False) and not ResourceVersion.objects.exists()


def test_a_transition_is_one_write_with_a_version_and_an_event(
    client_of: ClientOf, owner: User, row: Resource, events: Events
) -> None:
    answer = go(client_of(owner), row, "send")

    assert (answer.status_code, answer["ETag"]) == (200, '"2"')
    assert (answer.json()["data"]["status"], answer.json()["data"]["version"]) == ("sent", 2)
    version = ResourceVersion.objects.get(number=2)
    assert (version.number, version.action, version.changed, version.actor_id) == (
        2, "transitioned", ["status"], owner.id,
    )  # fmt: skip
    (event,) = events("resource.*")
    assert (event.type, event.subject_id, event.actor) == ("resource.transitioned", str(row.id), owner.id)
    assert event.payload == {
        "name": "send",
        "from": "draft",
        "to": "sent",
        "before": {"status": "draft"},
        "after": {"status": "sent"},
    }


def test_the_list_tells_what_the_caller_may_do_now_and_what_is_missing(
    client_of: ClientOf, owner: User, invoice: ResourceType
) -> None:
    row = create_resource(owner, type=invoice, status="draft", data={"total": None, "customer": {"name": ""}})

    answer = client_of(owner).get(f"{PATH}/{row.id}/transitions")

    assert answer.json()["data"] == [
        {"name": "send", "from": ["draft"], "to": "sent", "missing": ["data.total", "data.customer.name"]},
        {"name": "void", "from": ["draft", "sent"], "to": "void", "missing": []},
    ]


def test_each_person_is_offered_what_they_may_do(
    client_of: ClientOf, owner: User, moderator: User, admin: User, stranger: User, row: Resource
) -> None:
    Resource.objects.filter(id=row.id).update(visibility="internal")
    editor = create_user()
    share(row, editor, Level.EDITOR)
    people = {"owner": owner, "editor": editor, "moderator": moderator, "admin": admin, "reader": stranger}

    offered = {}
    for status in ("draft", "sent", "paid"):
        Resource.objects.filter(id=row.id).update(status=status)
        offered[status] = {name: names(client_of(person), row) for name, person in people.items()}

    # A moderator may write every resource, which is an editor's level.
    assert offered == {
        "draft": {
            "owner": ["send", "void"],
            "editor": ["send"],
            "moderator": ["send"],
            "admin": ["send", "void"],
            "reader": [],
        },
        "sent": {
            "owner": ["void", "remind"],
            "editor": ["remind"],
            "moderator": ["pay", "remind"],
            "admin": ["pay", "void", "remind"],
            "reader": ["remind"],
        },
        "paid": {"owner": [], "editor": [], "moderator": [], "admin": ["correct"], "reader": []},
    }


def test_what_requires_data_waits_for_it_and_a_zero_is_data(client_of: ClientOf, owner: User, row: Resource) -> None:
    client = client_of(owner)
    Resource.objects.filter(id=row.id).update(data={"total": "", "customer": {}})

    refused = go(client, row, "send")

    assert refused.status_code == 400
    assert [(detail["field"], detail["code"]) for detail in refused.json()["error"]["details"]] == [
        ("data.total", "required"),
        ("data.customer.name", "required"),
    ]
    assert nothing_happened(row)
    client.patch(f"{PATH}/{row.id}", {"data": COMPLETE})
    assert go(client, row, "send").status_code == 200


@pytest.mark.parametrize("name", ["pay", "correct", "no-such-way"])
def test_what_does_not_lead_out_of_the_present_state_is_a_conflict(
    client_of: ClientOf, admin: User, row: Resource, name: str
) -> None:
    answer = go(client_of(admin), row, name)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert nothing_happened(row)


def test_a_type_without_a_workflow_has_no_transitions(client_of: ClientOf, owner: User) -> None:
    row = create_resource(owner)

    assert names(client_of(owner), row) == []
    assert go(client_of(owner), row, "send").status_code == 409


def test_who_may_read_but_not_do_it_is_refused(
    client_of: ClientOf, stranger: User, moderator: User, row: Resource
) -> None:
    share(row, stranger, Level.VIEWER)

    answers = [go(client_of(stranger), row, "send"), go(client_of(moderator), row, "void")]

    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (403, "PERMISSION_DENIED"), (403, "PERMISSION_DENIED"),
    ]  # fmt: skip
    assert nothing_happened(row)


def test_who_may_not_read_learns_nothing(client_of: ClientOf, stranger: User, row: Resource, anonymous: Client) -> None:
    client = client_of(stranger)

    assert (client.get(f"{PATH}/{row.id}/transitions").status_code, go(client, row, "send").status_code) == (404, 404)
    assert go(client, row, "no-such-way").status_code == 404
    assert go(anonymous, row, "send").status_code == 401
    assert nothing_happened(row)


def test_a_role_counts_only_for_those_who_may_read(client_of: ClientOf, row: Resource) -> None:
    Resource.objects.filter(id=row.id).update(status="sent")
    invoice = ResourceType.objects.get(key="invoice")
    invoice.workflow = {**WORKFLOW, "transitions": [{**WORKFLOW["transitions"][1], "allow": ["role:cashier"]}]}
    invoice.save()
    Role.objects.create(name="cashier", permissions=[])
    cashier = create_user("cashier")

    unseen = go(client_of(cashier), row, "pay")
    share(row, cashier, Level.VIEWER)
    seen = go(client_of(cashier), row, "pay")

    assert (unseen.status_code, seen.status_code) == (404, 200)


def test_what_lies_in_the_bin_passes_through_nothing(client_of: ClientOf, owner: User, row: Resource) -> None:
    client = client_of(owner)
    client.delete(f"{PATH}/{row.id}")

    assert go(client, row, "send").status_code == 404


def test_a_way_that_ends_where_it_began_is_a_write_too(client_of: ClientOf, owner: User, row: Resource) -> None:
    Resource.objects.filter(id=row.id).update(status="sent")

    answer = go(client_of(owner), row, "remind")

    assert (answer.json()["data"]["status"], answer.json()["data"]["version"]) == ("sent", 2)
    assert ResourceVersion.objects.get(number=2).changed == []
    assert Event.objects.get(type="resource.transitioned").payload["name"] == "remind"


def test_a_transition_on_another_version_is_refused(client_of: ClientOf, owner: User, row: Resource) -> None:
    refused = go(client_of(owner), row, "send", headers={"If-Match": '"7"'})

    assert refused.status_code == 412
    assert nothing_happened(row)
    assert go(client_of(owner), row, "send", headers={"If-Match": '"1"'}).status_code == 200


def test_a_status_is_written_in_no_other_way(client_of: ClientOf, owner: User, row: Resource) -> None:
    client = client_of(owner)

    client.patch(f"{PATH}/{row.id}", {"status": "paid", "name": "Renamed"})
    client.put(f"{PATH}/{row.id}", {**client.get(f"{PATH}/{row.id}").json()["data"], "status": "paid"})

    row.refresh_from_db()
    assert (row.name, row.status) == ("Renamed", "draft")


def test_data_that_the_present_schema_refuses_goes_nowhere(client_of: ClientOf, owner: User, row: Resource) -> None:
    create_type("strict", workflow=WORKFLOW, schema={"type": "object", "required": ["number"]})
    Resource.objects.filter(id=row.id).update(type_id="strict")

    answer = go(client_of(owner), row, "send")

    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["data.number"]
    assert nothing_happened(row)


HIDING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "grade": {"type": "integer", "x-read": ["moderator"]},
        "person": {"type": "object", "properties": {"salary": {"type": "integer", "x-read": ["moderator"]}}},
    },
}


def reviewed(*required: str) -> dict[str, Any]:
    way = {"name": "close", "from": ["open"], "to": "closed", "require": list(required), "allow": ["viewer"]}
    return {"initial": "open", "states": ["open", "closed"], "transitions": [way]}


@pytest.mark.parametrize("data", [{}, {"grade": 3}])
def test_what_depends_on_a_hidden_field_is_not_for_who_cannot_read_it(
    client_of: ClientOf, owner: User, moderator: User, data: dict[str, Any]
) -> None:
    create_type("review", schema=HIDING, workflow=reviewed("grade"))
    row = create_resource(owner, type_id="review", status="open", data=data)
    share(row, moderator, Level.VIEWER)
    client, path = client_of(owner), f"{PATH}/{row.id}/transitions"

    listed, refused = client.get(path), go(client, row, "close")
    bulk = {"atomic": False, "operations": [{"op": "transition", "id": str(row.id), "transition": "close"}] * 2}

    assert (listed.json()["data"], refused.status_code) == ([], 403)
    assert refused.json()["error"]["details"] == []
    assert [one["status"] for one in client.post(f"{PATH}/bulk", bulk).json()["data"]] == [403, 403]
    assert nothing_happened(row)
    missing = [] if data else ["data.grade"]
    assert client_of(moderator).get(path).json()["data"][0]["missing"] == missing
    assert go(client_of(moderator), row, "close").status_code == (200 if data else 400)


@pytest.mark.parametrize("person", [{}, {"salary": 3}])
def test_of_what_holds_a_hidden_field_the_rest_counts(client_of: ClientOf, owner: User, person: dict[str, Any]) -> None:
    create_type("review", schema=HIDING, workflow=reviewed("person"))
    row = create_resource(owner, type_id="review", status="open", data={"person": person})

    answer = go(client_of(owner), row, "close")

    told = [(one["field"], one["code"]) for one in answer.json()["error"]["details"]]
    assert (answer.status_code, told) == (400, [("data.person", "required")])
    assert nothing_happened(row)
    client_of(owner).patch(f"{PATH}/{row.id}", {"data": {"person": {"desk": "7a"}}})
    assert go(client_of(owner), row, "close").status_code == 200
