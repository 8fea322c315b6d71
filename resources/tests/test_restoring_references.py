"""What comes back from the bin after something that it refers to was destroyed: it refers to that no more."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from core.models import Event
from core.purge import remove
from resources.models import Resource, ResourceReference, ResourceVersion
from resources.tests.factories import create_resource, create_type
from resources.tests.test_concurrency import ROUNDS, at_once

ClientOf = Callable[[User], Client]
BrowserOf = Callable[[User], Client]
PATH = "/api/v1/resources"

pytestmark = pytest.mark.django_db


def create_order_type(on_delete: str) -> None:
    reference = {"type": "item", "on_delete": on_delete}
    others = {"type": "array", "items": {"type": "string", "x-ref": reference}}
    create_type(
        "order",
        schema={
            "type": "object",
            "properties": {
                "customer": {"type": "string", "x-ref": reference},
                "lines": {"type": "object", "properties": {"others": others}},
                "note": {"type": "string"},
            },
        },
    )


@pytest.fixture(params=["restrict", "cascade", "set_null"])
def on_delete(request: pytest.FixtureRequest) -> str:
    """What the type `order` says of the items that it refers to."""
    create_order_type(request.param)
    return str(request.param)


def order(client: Client, **data: Any) -> str:
    made = client.post(PATH, {"type": "order", "name": "Order", "data": data})
    assert made.status_code == 201, made.content
    return str(made.json()["data"]["id"])


def binned_order(client: Client, gone: Resource, kept: Resource) -> str:
    """Return an order in the bin that refers to both."""
    made = order(client, customer=str(gone.id), lines={"others": [str(kept.id), str(gone.id)]}, note="x")
    assert client.delete(f"{PATH}/{made}").status_code == 204
    return made


def destroy(client: Client, gone: Resource) -> None:
    assert client.delete(f"{PATH}/{gone.id}?permanent=true").status_code == 204


def assert_is_back_without(made: str, gone: Resource, kept: Resource) -> None:
    row = Resource.objects.get(id=made)
    assert (row.data, row.version) == ({"lines": {"others": [str(kept.id)]}, "note": "x"}, 3)
    assert list(row.references.values_list("path", "target_id")) == [("lines.others", kept.id)]
    written = ResourceVersion.objects.filter(resource_id=made).latest("number")
    assert (written.action, written.number, written.snapshot["data"]) == ("restored", 3, row.data)
    assert written.changed == ["data.customer", "data.lines.others"]
    told = Event.objects.get(type="resource.restored", subject_id=made).payload
    assert told["destroyed"] == [str(gone.id)]
    assert (told["before"]["data.customer"], "data.customer" in told["after"]) == (str(gone.id), False)


@pytest.mark.usefixtures("on_delete")
def test_a_resource_comes_back_without_the_id_of_what_was_destroyed(client_of: ClientOf, owner: User) -> None:
    client, gone, kept = client_of(owner), create_resource(owner), create_resource(owner)
    made = binned_order(client, gone, kept)
    destroy(client, gone)

    answer = client.post(f"{PATH}/{made}/restore")

    assert (answer.status_code, answer["ETag"]) == (200, '"3"')
    assert answer.json()["data"]["data"] == {"lines": {"others": [str(kept.id)]}, "note": "x"}
    assert_is_back_without(made, gone, kept)
    assert client.patch(f"{PATH}/{made}", {"data": {"note": "y"}}).status_code == 200


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.usefixtures("on_delete")
def test_so_does_one_of_many(client_of: ClientOf, owner: User, atomic: bool) -> None:
    client, gone, kept = client_of(owner), create_resource(owner), create_resource(owner)
    made, whole = binned_order(client, gone, kept), order(client, customer=str(kept.id))
    client.delete(f"{PATH}/{whole}")
    destroy(client, gone)
    steps = [{"op": "restore", "id": one} for one in (whole, made)]

    answer = client.post(f"{PATH}/bulk", {"atomic": atomic, "operations": steps})

    assert answer.status_code == 200, answer.content
    assert_is_back_without(made, gone, kept)
    assert Resource.objects.get(id=whole).data == {"customer": str(kept.id)}
    assert "destroyed" not in Event.objects.get(type="resource.restored", subject_id=whole).payload


@pytest.mark.usefixtures("on_delete")
def test_staff_bring_it_back_alike(client_of: ClientOf, owner: User, admin: User, browser_of: BrowserOf) -> None:
    client, gone, kept = client_of(owner), create_resource(owner), create_resource(owner)
    made = binned_order(client, gone, kept)
    destroy(client, gone)

    chosen = {"action": "restore", "_selected_action": [made]}
    page = browser_of(admin).post("/admin/resources/resource/?place=bin", chosen, follow=True)

    assert "1 resources restored." in page.content.decode()
    assert_is_back_without(made, gone, kept)


@pytest.mark.usefixtures("on_delete")
def test_what_the_bin_has_lost_is_destroyed(client_of: ClientOf, owner: User) -> None:
    client, gone, kept = client_of(owner), create_resource(owner), create_resource(owner)
    made = binned_order(client, gone, kept)
    client.delete(f"{PATH}/{gone.id}")
    assert remove(Resource.all_objects.filter(id=gone.id)) == 1

    assert client.post(f"{PATH}/{made}/restore").status_code == 200

    assert_is_back_without(made, gone, kept)


def test_what_went_to_the_bin_with_it_comes_back_so_too(client_of: ClientOf, owner: User) -> None:
    create_order_type("cascade")
    whole, maker = {"type": "order", "on_delete": "cascade"}, {"type": "item", "on_delete": "set_null"}
    properties = {"order": {"type": "string", "x-ref": whole}, "maker": {"type": "string", "x-ref": maker}}
    create_type("part", schema={"type": "object", "properties": properties})
    client, gone = client_of(owner), create_resource(owner)
    made = order(client, note="x")
    body = {"type": "part", "name": "Part", "data": {"order": made, "maker": str(gone.id)}}
    part = client.post(PATH, body).json()["data"]["id"]
    client.delete(f"{PATH}/{made}")
    destroy(client, gone)

    assert client.post(f"{PATH}/{made}/restore").status_code == 200

    assert Resource.objects.get(id=part).data == {"order": made}
    restored = Event.objects.filter(type="resource.restored")
    assert {event.subject_id: event.payload.get("destroyed") for event in restored} == {
        made: None,
        part: [str(gone.id)],
    }
    assert ResourceReference.objects.filter(resource_id=part).count() == 1


def test_what_is_in_the_bin_is_not_destroyed(client_of: ClientOf, owner: User) -> None:
    create_order_type("set_null")
    client, target, kept = client_of(owner), create_resource(owner), create_resource(owner)
    made = binned_order(client, target, kept)
    client.delete(f"{PATH}/{target.id}")

    assert client.post(f"{PATH}/{made}/restore").status_code == 200

    assert Resource.objects.get(id=made).data["customer"] == str(target.id)
    assert ResourceReference.objects.filter(resource_id=made, target=target).count() == 2


def removed_at_once(client_of: ClientOf, user: User, *, is_purge: bool) -> None:
    """Remove for good what an order in the bin refers to, while somebody brings the order back."""
    gone, kept = create_resource(user), create_resource(user)
    made = binned_order(client_of(user), gone, kept)
    restoring, removing = client_of(user), client_of(user)
    verbs: list[Callable[[], Any]] = [
        lambda: restoring.post(f"{PATH}/{made}/restore").status_code,
        lambda: removing.delete(f"{PATH}/{gone.id}?permanent=true").status_code,
    ]
    if is_purge:
        removing.delete(f"{PATH}/{gone.id}")
        verbs[1] = lambda: remove(Resource.all_objects.dead().filter(id=gone.id))

    restored, removed, *_ = at_once(lambda number: verbs[number]() if number < len(verbs) else None)

    # While what it needs is in the bin, it waits there too.
    assert restored == 200 or (restored, is_purge) == (409, True)
    assert (removed == 409) == Resource.all_objects.filter(id=gone.id).exists()
    row = Resource.all_objects.get(id=made)
    assert row.deleted_at is not None or removed == 409 or str(gone.id) not in str(row.data)
    assert row.deleted_at is None or restoring.post(f"{PATH}/{made}/restore").status_code == 200
    assert (removed == 409) == (str(gone.id) in str(Resource.objects.get(id=made).data))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db", "on_delete")
@pytest.mark.parametrize("is_purge", [False, True])
def test_whoever_removes_and_whoever_restores_at_once_leave_no_dead_id(client_of: ClientOf, is_purge: bool) -> None:
    user = create_user()
    for _ in range(ROUNDS):
        removed_at_once(client_of, user, is_purge=is_purge)
