"""`x-ref`: a value is the id of a record that is there and readable, and what happens when that one goes."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import Role, User
from core.models import Event
from core.purge import remove
from resources.access import Level
from resources.models import Resource, ResourceReference
from resources.tests.factories import create_resource, create_type, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"


def schema(reference: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "customer": {"type": ["string", "null"], "x-ref": reference},
            "others": {
                "type": "array",
                "items": {"type": "string", "x-ref": {"type": "item", "on_delete": "set_null"}},
            },
            "note": {"type": "string"},
        },
    }


@pytest.fixture(params=["restrict"])
def kind(request: pytest.FixtureRequest, db: None) -> str:
    """A type `order` that refers to items."""
    create_type("order", schema=schema({"type": "item", "on_delete": request.param}))
    return str(request.param)


def order(client: Client, **data: Any) -> Any:
    return client.post(PATH, {"type": "order", "name": "Order", "data": data})


def details(answer: Any) -> list[tuple[str | None, str]]:
    return [(detail["field"], detail["code"]) for detail in answer.json()["error"]["details"]]


def state(resource_id: Any) -> tuple[bool, dict[str, Any]]:
    row = Resource.all_objects.get(pk=resource_id)
    return row.deleted_at is None, row.data


@pytest.mark.usefixtures("kind")
def test_a_reference_is_a_row_with_a_foreign_key(client_of: ClientOf, owner: User) -> None:
    client, target, other = client_of(owner), create_resource(owner), create_resource(owner)

    made = order(client, customer=str(target.id), others=[str(other.id), str(other.id)]).json()["data"]

    rows = set(ResourceReference.objects.values_list("resource_id", "path", "target_id"))
    source = Resource.objects.get(pk=made["id"]).pk
    assert rows == {(source, "customer", target.id), (source, "others", other.id)}
    client.patch(f"{PATH}/{source}", {"data": {"customer": str(other.id), "others": None}})
    assert set(ResourceReference.objects.values_list("path", "target_id")) == {("customer", other.id)}


@pytest.mark.usefixtures("kind")
def test_what_is_not_there_and_what_is_not_seen_is_refused_alike(
    client_of: ClientOf, owner: User, stranger: User
) -> None:
    unseen = create_resource(stranger)
    create_type("thing")
    wrong = create_resource(owner, type_id="thing")
    client = client_of(owner)
    binned = create_resource(owner)
    client.delete(f"{PATH}/{binned.id}")
    events = Event.objects.count()

    answers = [
        order(client, customer=value)
        for value in (str(uuid4()), str(unseen.id), str(wrong.id), str(binned.id), "no id", str(binned.id).upper())
    ]

    assert {(answer.status_code, *details(answer)) for answer in answers} == {
        (400, ("data.customer", "does_not_exist"))
    }
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    assert not Resource.objects.filter(type_id="order").exists()
    assert Event.objects.count() == events


@pytest.mark.usefixtures("kind")
def test_what_one_can_no_longer_see_does_not_stop_another_change(
    client_of: ClientOf, owner: User, stranger: User
) -> None:
    target = create_resource(stranger, visibility="internal")
    client = client_of(owner)
    made = order(client, customer=str(target.id)).json()["data"]
    Resource.objects.filter(pk=target.pk).update(visibility="private")

    changed = client.patch(f"{PATH}/{made['id']}", {"data": {"note": "x"}})
    again = order(client, customer=str(target.id))

    assert changed.json()["data"]["data"] == {"customer": str(target.id), "note": "x"}
    assert again.status_code == 400


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("query", ["", "?permanent=true"])
def test_restrict_keeps_the_target(client_of: ClientOf, owner: User, admin: User, query: str) -> None:
    target = create_resource(owner)
    made = order(client_of(owner), customer=str(target.id)).json()["data"]

    answer = client_of(admin).delete(f"{PATH}/{target.id}{query}")

    assert (answer.status_code, details(answer)) == (409, [(None, "referrers"), ("id", "referrer")])
    assert state(target.id)[0]
    client_of(owner).delete(f"{PATH}/{made['id']}")
    assert client_of(admin).delete(f"{PATH}/{target.id}{query}").status_code == 204


@pytest.mark.usefixtures("kind")
def test_restrict_names_only_what_the_caller_may_read(client_of: ClientOf, owner: User, stranger: User) -> None:
    target = create_resource(owner)
    share(target, stranger, Level.EDITOR)
    order(client_of(stranger), customer=str(target.id))

    answer = client_of(owner).delete(f"{PATH}/{target.id}")

    assert (answer.status_code, details(answer)) == (409, [(None, "referrers")])


@pytest.mark.usefixtures("kind")
def test_nothing_comes_back_before_what_it_needs(client_of: ClientOf, owner: User) -> None:
    client, target = client_of(owner), create_resource(owner)
    made = order(client, customer=str(target.id)).json()["data"]
    client.delete(f"{PATH}/{made['id']}")
    client.delete(f"{PATH}/{target.id}")

    early = client.post(f"{PATH}/{made['id']}/restore")

    assert (early.status_code, details(early)) == (409, [("data.customer", "in_bin")])
    assert client.post(f"{PATH}/{target.id}/restore").status_code == 200
    assert client.post(f"{PATH}/{made['id']}/restore").status_code == 200


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("kind", ["cascade"], indirect=True)
def test_cascade_is_one_cohort(client_of: ClientOf, owner: User, stranger: User) -> None:
    target = create_resource(owner, visibility="internal")
    client = client_of(owner)
    theirs = order(client_of(stranger), customer=str(target.id)).json()["data"]["id"]
    earlier = order(client, customer=str(target.id)).json()["data"]["id"]
    client.delete(f"{PATH}/{earlier}")

    client.delete(f"{PATH}/{target.id}")
    assert [state(one)[0] for one in (target.id, theirs, earlier)] == [False, False, False]
    client.post(f"{PATH}/{target.id}/restore")

    assert [state(one)[0] for one in (target.id, theirs, earlier)] == [True, True, False]
    assert Event.objects.filter(type="resource.restored").count() == 2


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("kind", ["cascade"], indirect=True)
def test_a_destroyed_target_takes_others_to_the_bin_at_most(client_of: ClientOf, owner: User, admin: User) -> None:
    target = create_resource(owner)
    made = order(client_of(owner), customer=str(target.id)).json()["data"]["id"]

    client_of(admin).delete(f"{PATH}/{target.id}?permanent=true")

    assert not Resource.all_objects.filter(pk=target.pk).exists()
    assert state(made) == (False, {"customer": str(target.id)})
    assert client_of(owner).post(f"{PATH}/{made}/restore").status_code == 200


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("kind", ["set_null"], indirect=True)
def test_set_null_waits_until_the_target_is_gone_for_good(client_of: ClientOf, owner: User, admin: User) -> None:
    client, target, other = client_of(owner), create_resource(owner), create_resource(owner)
    made = order(client, customer=str(target.id), others=[str(target.id), str(other.id)]).json()["data"]["id"]
    client.delete(f"{PATH}/{target.id}")
    assert state(made)[1]["customer"] == str(target.id)

    client_of(admin).delete(f"{PATH}/{target.id}?permanent=true")

    assert state(made) == (True, {"others": [str(other.id)]})
    history = client.get(f"{PATH}/{made}/versions").json()["data"]
    assert (history[0]["actor"], history[0]["changed"]) == (None, ["data.customer", "data.others"])


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("kind", ["set_null"], indirect=True)
def test_emptying_the_bin_takes_the_id_out_too(client_of: ClientOf, owner: User) -> None:
    client, target = client_of(owner), create_resource(owner)
    made = order(client, customer=str(target.id)).json()["data"]["id"]
    client.delete(f"{PATH}/{target.id}")

    assert remove(Resource.all_objects.dead()) == 1

    assert state(made) == (True, {})
    assert not ResourceReference.objects.exists()


def test_a_type_that_refers_to_nothing_there_is_refused(client_of: ClientOf, admin: User) -> None:
    body = {"key": "order", "name": "Order", "schema": schema("customer")}

    answer = client_of(admin).post("/api/v1/resource-types", body)

    assert (answer.status_code, details(answer)) == (400, [("schema.properties.customer.x-ref", "unknown_type")])


def test_a_type_may_refer_to_itself(client_of: ClientOf, admin: User, owner: User) -> None:
    body = {"key": "order", "name": "Order", "schema": schema({"type": "order", "on_delete": "cascade"})}
    assert client_of(admin).post("/api/v1/resource-types", body).status_code == 201
    client = client_of(owner)
    first = order(client).json()["data"]["id"]
    second = order(client, customer=first).json()["data"]["id"]
    client.patch(f"{PATH}/{first}", {"data": {"customer": second}})

    client.delete(f"{PATH}/{second}")

    assert [state(one)[0] for one in (first, second)] == [False, False]
    client.post(f"{PATH}/{first}/restore")
    assert [state(one)[0] for one in (first, second)] == [True, True]


def test_rows_are_written_for_records_that_were_there(client_of: ClientOf, admin: User, owner: User) -> None:
    create_type("order")
    target = create_resource(owner)
    good = create_resource(owner, type_id="order", data={"customer": str(target.id)})
    bad = create_resource(owner, type_id="order", data={"customer": str(uuid4())})
    path = "/api/v1/resource-types/order"

    refused = client_of(admin).patch(path, {"schema": schema("item")})

    assert refused.status_code == 409
    assert [detail["message"] for detail in refused.json()["error"]["details"]] == ["1", str(bad.id)]
    assert client_of(admin).patch(path, {"schema": schema("item"), "force": True}).status_code == 200
    assert list(ResourceReference.objects.values_list("resource_id", "target_id")) == [(good.id, target.id)]


def referring(client_of: ClientOf, user: User, target: Resource, **fields: Any) -> Any:
    """Return the id of an order of the user, who may read the target."""
    body = {"type": "order", "name": "Order", "data": {"customer": str(target.id)}, **fields}
    answer = client_of(user).post(PATH, body)
    assert answer.status_code == 201, answer.content
    return answer.json()["data"]["id"]


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("visibility", ["private", "public"])
def test_a_mere_reader_holds_nobodys_record_back(
    client_of: ClientOf, owner: User, stranger: User, visibility: str
) -> None:
    target = create_resource(owner, visibility="internal")
    tied = referring(client_of, stranger, target, visibility=visibility)
    client, path = client_of(owner), f"{PATH}/{target.id}"

    assert client.delete(path).status_code == 204

    assert state(tied) == (True, {"customer": str(target.id)})
    assert client_of(stranger).patch(f"{PATH}/{tied}", {"name": "Still mine"}).status_code == 200
    assert client_of(stranger).delete(f"{PATH}/{tied}").status_code == 204
    assert client_of(stranger).post(f"{PATH}/{tied}/restore").status_code == 200
    assert client.post(f"{path}/restore").status_code == 200
    remove(Resource.all_objects.filter(id=target.id))
    assert state(tied) == (True, {})
    assert Resource.objects.get(id=tied).version == 5


@pytest.mark.usefixtures("kind")
def test_whoever_may_write_the_target_holds_it_back_as_long_as_they_may(
    client_of: ClientOf, owner: User, stranger: User
) -> None:
    target = create_resource(owner)
    given = share(target, stranger, Level.EDITOR)
    tied = referring(client_of, stranger, target)
    client, path = client_of(owner), f"{PATH}/{target.id}"

    assert (client.delete(path).status_code, details(client.delete(path))) == (409, [(None, "referrers")])
    bulk = {"operations": [{"op": "delete", "id": str(target.id)}, {"op": "create", "name": "B"}]}
    assert client.post(f"{PATH}/bulk", bulk).status_code == 409
    assert state(target.id) == (True, {})

    given.delete()
    assert client.delete(path).status_code == 204
    assert state(tied)[0]


@pytest.mark.usefixtures("kind")
def test_a_role_that_writes_the_target_holds_it_back(client_of: ClientOf, owner: User, stranger: User) -> None:
    Role.objects.filter(name="user").update(permissions=["read:resource.item", "write:resource.item"])
    target = create_resource(owner)
    referring(client_of, stranger, target)

    assert client_of(owner).delete(f"{PATH}/{target.id}").status_code == 409


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize(("level", "status"), [(Level.VIEWER, 204), (Level.EDITOR, 409)])
def test_what_a_mere_reader_ties_to_what_they_have_tied_holds_nothing_back_either(
    client_of: ClientOf, owner: User, stranger: User, level: Level, status: int
) -> None:
    create_type("part", schema={"type": "object", "properties": {
        "whole": {"type": "string", "x-ref": {"type": "item", "on_delete": "cascade"}}}})  # fmt: skip
    create_type("clamp", schema={"type": "object", "properties": {"on": {"type": "string", "x-ref": "part"}}})
    target = create_resource(owner)
    share(target, stranger, level)
    client = client_of(stranger)
    part = client.post(PATH, {"type": "part", "name": "P", "data": {"whole": str(target.id)}}).json()["data"]["id"]
    clamp = client.post(PATH, {"type": "clamp", "name": "C", "data": {"on": part}}).json()["data"]["id"]

    assert client_of(owner).delete(f"{PATH}/{target.id}").status_code == status

    assert [state(one)[0] for one in (target.id, part, clamp)] == [status == 409, status == 409, True]
