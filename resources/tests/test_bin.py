"""The bin: DELETE /resources/{id}, GET /resources/trash, POST /resources/{id}/restore."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import access_token_of, create_session
from core.models import Event
from resources.access import Level
from resources.models import Resource, ResourceVersion
from resources.tests.factories import create_resource, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    """The owner's client, just signed in."""
    return client_of(owner)


def test_a_deleted_resource_is_gone_from_everywhere_but_the_bin(client: Client, owner: User) -> None:
    row = create_resource(owner, name="Gone", visibility="public")

    response = client.delete(f"{PATH}/{row.id}")

    assert (response.status_code, response.content) == (204, b"")
    assert client.get(f"{PATH}/{row.id}").status_code == 404
    assert client.get(PATH).json()["data"] == []
    listed = client.get(f"{PATH}/trash").json()["data"]
    assert [(item["name"], item["version"]) for item in listed] == [("Gone", 2)]
    assert listed[0]["deleted_at"] is not None
    binned = Resource.all_objects.get()
    assert (binned.deleted_by_id, binned.delete_op is not None) == (owner.id, True)
    assert ResourceVersion.objects.get(number=2).action == "deleted"
    assert Event.objects.get(type="resource.deleted").subject_id == str(row.id)


def test_a_restored_resource_is_back_with_a_version_of_its_own(client: Client, owner: User) -> None:
    row = create_resource(owner, name="Back")
    client.delete(f"{PATH}/{row.id}")

    response = client.post(f"{PATH}/{row.id}/restore")

    data = response.json()["data"]
    assert (response.status_code, data["name"], data["version"], data["deleted_at"]) == (200, "Back", 3, None)
    assert client.get(f"{PATH}/{row.id}").status_code == 200
    assert client.get(f"{PATH}/trash").json()["data"] == []
    assert Event.objects.filter(type="resource.restored").count() == 1


def test_restoring_another_version_than_the_one_seen_is_refused(client: Client, owner: User) -> None:
    row = create_resource(owner, name="Changed since")
    client.delete(f"{PATH}/{row.id}")

    refused = client.post(f"{PATH}/{row.id}/restore", headers={"if-match": '"1"'})

    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert [one["version"] for one in client.get(f"{PATH}/trash").json()["data"]] == [2]
    assert Event.objects.filter(type="resource.restored").count() == 0
    assert client.post(f"{PATH}/{row.id}/restore", headers={"if-match": '"2"'}).status_code == 200


def test_the_bin_is_its_owners_and_those_who_may_delete(
    client: Client, client_of: ClientOf, owner: User, stranger: User, admin: User
) -> None:
    row = create_resource(owner, name="Mine", visibility="public")
    client.delete(f"{PATH}/{row.id}")

    assert client_of(stranger).get(f"{PATH}/trash").json()["data"] == []
    assert client_of(stranger).post(f"{PATH}/{row.id}/restore").status_code == 404
    assert len(client_of(admin).get(f"{PATH}/trash").json()["data"]) == 1
    share(row, stranger, Level.MANAGER)
    assert client_of(stranger).post(f"{PATH}/{row.id}/restore").json()["data"]["access"] == "manager"


def test_the_bin_needs_a_sign_in(anonymous: Client, owner: User) -> None:
    row = create_resource(owner)

    assert anonymous.get(f"{PATH}/trash").status_code == 401
    assert anonymous.post(f"{PATH}/{row.id}/restore").status_code == 401
    assert anonymous.delete(f"{PATH}/{row.id}").status_code == 401
    assert Resource.objects.get().version == 1


def test_restoring_what_is_not_in_the_bin_is_not_found(client: Client, owner: User) -> None:
    row = create_resource(owner)

    assert client.post(f"{PATH}/{row.id}/restore").status_code == 404
    assert Event.objects.filter(type="resource.restored").count() == 0


def test_restoring_onto_a_taken_external_id_is_a_conflict(client: Client, owner: User) -> None:
    row = create_resource(owner, external_id="x")
    client.delete(f"{PATH}/{row.id}")
    create_resource(owner, external_id="x")

    response = client.post(f"{PATH}/{row.id}/restore")

    assert (response.status_code, response.json()["error"]["code"]) == (409, "CONFLICT")
    assert Resource.all_objects.dead().count() == 1


@pytest.mark.parametrize("is_binned", [False, True])
def test_an_owner_who_signed_in_lately_destroys_with_all_history(client: Client, owner: User, is_binned: bool) -> None:
    row = create_resource(owner, name="Secret")
    client.patch(f"{PATH}/{row.id}", {"name": "Other"})
    if is_binned:
        client.delete(f"{PATH}/{row.id}")

    response = client.delete(f"{PATH}/{row.id}?permanent=true")

    assert response.status_code == 204
    assert (Resource.all_objects.count(), ResourceVersion.objects.count()) == (0, 0)
    assert Event.objects.get(type="resource.destroyed").payload["before"]["name"] == "Other"


def test_an_owner_with_an_old_sign_in_is_asked_to_sign_in_again(owner: User) -> None:
    row = create_resource(owner)
    session = create_session(owner, authenticated_at=datetime.now(UTC) - timedelta(minutes=11))

    response = Client(headers={"Authorization": f"Bearer {access_token_of(session)}"}).delete(
        f"{PATH}/{row.id}?permanent=true"
    )

    assert (response.status_code, response.json()["error"]["code"]) == (403, "REAUTHENTICATION_REQUIRED")
    assert Resource.objects.count() == 1
    assert Event.objects.filter(type="resource.destroyed").count() == 0


def test_a_manager_by_share_moves_to_the_bin_but_does_not_destroy(
    client_of: ClientOf, owner: User, stranger: User
) -> None:
    row = create_resource(owner)
    share(row, stranger, Level.MANAGER)

    assert client_of(stranger).delete(f"{PATH}/{row.id}?permanent=true").status_code == 403
    assert Resource.objects.count() == 1
    assert client_of(stranger).delete(f"{PATH}/{row.id}").status_code == 204
