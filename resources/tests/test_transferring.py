"""POST /resources/{id}/transfer."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from core.models import Event
from core.permissions import Caller
from core.tests.spine import Events
from resources.access import Level
from resources.live import readable_resource_events
from resources.models import Resource, ResourceVersion, Share
from resources.tests.factories import create_resource, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"


@pytest.fixture
def row(owner: User) -> Resource:
    return create_resource(owner, external_id="x")


@pytest.fixture
def heir(db: None) -> User:
    return create_user(email="heir@example.com", name="Hera Heir")


def transfer(client: Client, row: Resource, to: Any, **options: Any) -> Any:
    return client.post(f"{PATH}/{row.id}/transfer", {"owner": str(getattr(to, "id", to))}, **options)


def nothing_happened(row: Resource) -> bool:
    found = Resource.objects.get(id=row.id)
    told = Event.objects.filter(type="resource.transferred").exists()
    return (found.owner_id, found.version, told) == (row.owner_id, row.version, False)


def test_the_new_owner_owns_it_and_the_old_one_sees_it_no_longer(
    client_of: ClientOf, owner: User, heir: User, row: Resource, events: Events
) -> None:
    answer = transfer(client_of(owner), row, heir)

    assert (answer.status_code, answer["ETag"]) == (200, '"2"')
    assert answer.json()["data"] == {
        "id": str(row.id),
        "owner": {"id": str(heir.id), "name": "Hera Heir"},
        "version": 2,
    }
    assert client_of(owner).get(f"{PATH}/{row.id}").status_code == 404
    assert client_of(heir).get(f"{PATH}/{row.id}").json()["data"]["access"] == "owner"
    version = ResourceVersion.objects.get(number=2)
    assert (version.action, version.changed, version.actor_id) == ("transferred", ["owner"], owner.id)
    (event,) = events("resource.*")
    assert (event.type, event.audience) == ("resource.transferred", [owner.id, heir.id])
    assert event.payload == {
        "before": {"owner": str(owner.id)},
        "after": {"owner": str(heir.id)},
        "from": str(owner.id),
        "to": str(heir.id),
        "version": 2,
        "ended_shares": 0,
    }


def test_both_are_told_and_nobody_else(
    client_of: ClientOf, owner: User, heir: User, stranger: User, row: Resource, events: Events
) -> None:
    transfer(client_of(owner), row, heir)

    told = events("resource.transferred")

    heard = {user.name: list(readable_resource_events(Caller.of(user), told)) for user in (owner, heir, stranger)}
    assert heard == {"Olive Owner": [told[0].id], "Hera Heir": [told[0].id], "Sam Stranger": []}


def test_what_the_old_owner_shared_ends_and_what_an_administrator_shared_stays(
    client_of: ClientOf, owner: User, heir: User, stranger: User, admin: User, row: Resource
) -> None:
    manager, guest = create_user(), create_user()
    first = share(row, manager, Level.MANAGER)
    Share.objects.create(resource=row, user=stranger, access=Level.EDITOR, given_by=manager, through=first)
    Share.objects.create(resource=row, user=guest, access=Level.VIEWER, given_by=admin)
    other = share(create_resource(owner), stranger, Level.VIEWER)

    transfer(client_of(owner), row, heir)

    assert set(Share.objects.values_list("user_id", "resource_id")) == {
        (guest.id, row.id), (stranger.id, other.resource_id),
    }  # fmt: skip
    assert Event.objects.get(type="resource.transferred").payload["ended_shares"] == 2
    removed = Event.objects.filter(type="share.removed")
    assert {event.payload["before"]["user"] for event in removed} == {str(manager.id), str(stranger.id)}
    assert all({owner.id, heir.id} & set(event.audience) for event in removed)
    assert [client_of(user).get(f"{PATH}/{row.id}").status_code for user in (manager, stranger, guest)] == [
        404, 404, 200,
    ]  # fmt: skip


def test_what_comes_back_to_its_first_owner_is_shared_with_nobody(
    client_of: ClientOf, owner: User, heir: User, stranger: User, row: Resource
) -> None:
    share(row, stranger, Level.VIEWER)

    transfer(client_of(owner), row, heir)
    transfer(client_of(heir), row, owner)

    assert client_of(stranger).get(f"{PATH}/{row.id}").status_code == 404
    assert Resource.objects.get().owner_id == owner.id


def test_an_administrator_transfers_anyone_s(client_of: ClientOf, admin: User, heir: User, row: Resource) -> None:
    assert transfer(client_of(admin), row, heir).status_code == 200
    assert Resource.objects.get().owner_id == heir.id


def test_nobody_else_does(
    client_of: ClientOf, stranger: User, moderator: User, anonymous: Client, heir: User, row: Resource
) -> None:
    manager = create_user()
    share(row, manager, Level.MANAGER)

    answers = [transfer(client_of(user), row, heir) for user in (manager, moderator, stranger)]

    assert [answer.status_code for answer in answers] == [403, 403, 404]
    assert transfer(anonymous, row, heir).status_code == 401
    assert nothing_happened(row)


@pytest.mark.parametrize(
    "state",
    [{"is_active": False}, {"email_verified": False}, {"deleted_at": datetime.now(UTC)}],
    ids=["inactive", "unconfirmed", "deleted"],
)
def test_who_cannot_sign_in_gets_nothing(
    client_of: ClientOf, owner: User, row: Resource, state: dict[str, Any]
) -> None:
    answer = transfer(client_of(owner), row, create_user(**state))

    assert answer.status_code == 400
    assert [(one["field"], one["code"]) for one in answer.json()["error"]["details"]] == [("owner", "cannot_sign_in")]
    assert nothing_happened(row)


@pytest.mark.parametrize("to", [str(uuid4()), "me", ""], ids=["nobody", "me", "none"])
def test_who_does_not_exist_gets_nothing(client_of: ClientOf, owner: User, row: Resource, to: str) -> None:
    answer = transfer(client_of(owner), row, to)

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "owner")
    assert nothing_happened(row)


def test_a_transfer_to_its_owner_is_none(client_of: ClientOf, owner: User, row: Resource) -> None:
    answer = transfer(client_of(owner), row, owner)

    assert (answer.status_code, answer.json()["data"]["version"]) == (200, 1)
    assert nothing_happened(row)


def test_the_new_owner_s_external_ids_stay_their_own(
    client_of: ClientOf, owner: User, heir: User, row: Resource
) -> None:
    create_resource(heir, external_id="x")

    answer = transfer(client_of(owner), row, heir)

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (409, "external_id")
    assert nothing_happened(row)


def test_a_transfer_of_another_version_is_refused(client_of: ClientOf, owner: User, heir: User, row: Resource) -> None:
    assert transfer(client_of(owner), row, heir, headers={"If-Match": '"2"'}).status_code == 412
    assert nothing_happened(row)
    assert transfer(client_of(owner), row, heir, headers={"If-Match": '"1"'}).status_code == 200


def test_what_lies_in_the_bin_is_not_transferred(client_of: ClientOf, owner: User, heir: User, row: Resource) -> None:
    client_of(owner).delete(f"{PATH}/{row.id}")

    assert transfer(client_of(owner), row, heir).status_code == 404
