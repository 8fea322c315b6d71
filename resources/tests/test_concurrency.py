"""Many writers at once: nothing that was acknowledged is lost, no version is skipped or given twice.

`RACE_ROUNDS=1000` makes each race of transitions, upserts and restores that often.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from core.models import Event
from core.permissions import Caller
from resources.models import Comment, Resource, ResourceHistory, ResourceVersion
from resources.services import Content, create_resource
from resources.tests.factories import create_type

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("transactional_db")]

ClientOf = Callable[[User], Client]
WRITERS = 8
ROUNDS = int(os.environ.get("RACE_ROUNDS", "3"))


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """Return the results of `work` for each writer, all running side by side."""

    def run(number: int) -> Any:
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(run, range(WRITERS)))


@pytest.fixture
def row() -> Resource:
    """A resource of a user."""
    return create_resource(actor=Caller.of(create_user()), content=Content(name="Shared", data={"kept": 0}))


def test_parallel_patches_of_different_fields_lose_none(row: Resource, client_of: ClientOf) -> None:
    clients = [client_of(row.owner) for _ in range(WRITERS)]

    def patch(number: int) -> int:
        body = {"data": {f"field{number}": number, "nested": {f"n{number}": True}}}
        return int(clients[number].patch(f"/api/v1/resources/{row.id}", body).status_code)

    assert at_once(patch) == [200] * WRITERS
    row.refresh_from_db()
    assert row.data == {
        "kept": 0,
        **{f"field{number}": number for number in range(WRITERS)},
        "nested": {f"n{number}": True for number in range(WRITERS)},
    }
    assert row.version == WRITERS + 1
    numbers = ResourceVersion.objects.filter(resource=row).order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, WRITERS + 2))
    assert Event.objects.filter(type="resource.updated").count() == WRITERS


def test_of_parallel_writes_on_one_version_exactly_one_wins(row: Resource, client_of: ClientOf) -> None:
    clients = [client_of(row.owner) for _ in range(WRITERS)]

    def patch(number: int) -> int:
        headers = {"If-Match": '"1"'}
        answer = clients[number].patch(f"/api/v1/resources/{row.id}", {"name": f"Name {number}"}, headers=headers)
        return int(answer.status_code)

    assert sorted(at_once(patch)) == [200] + [412] * (WRITERS - 1)
    row.refresh_from_db()
    assert row.version == 2


def test_of_parallel_creations_with_one_external_id_exactly_one_wins(client_of: ClientOf) -> None:
    user = create_user()
    clients = [client_of(user) for _ in range(WRITERS)]

    def create(number: int) -> int:
        body = {"name": f"Name {number}", "external_id": "one"}
        return int(clients[number].post("/api/v1/resources", body).status_code)

    assert sorted(at_once(create)) == [201] + [409] * (WRITERS - 1)
    assert (Resource.objects.count(), ResourceHistory.objects.count()) == (1, 1)
    assert Event.objects.filter(type="resource.created").count() == 1


def test_a_deletion_and_parallel_writes_leave_one_history(row: Resource, client_of: ClientOf) -> None:
    clients = [client_of(row.owner) for _ in range(WRITERS)]
    path = f"/api/v1/resources/{row.id}"

    def write(number: int) -> int:
        if number == 3:
            return int(clients[number].delete(path).status_code)
        return int(clients[number].patch(path, {"name": f"Name {number}"}).status_code)

    statuses = at_once(write)

    assert statuses[3] == 204
    assert set(statuses) <= {200, 204, 404}
    last = ResourceVersion.objects.filter(resource_id=row.id).latest("number")
    assert last.action == "deleted"
    assert last.number == 2 + statuses.count(200)


def test_of_parallel_transitions_exactly_one_wins(client_of: ClientOf) -> None:
    user = create_user()
    transitions = [{"name": name, "from": ["draft"], "to": name, "allow": ["owner"]} for name in ("sent", "void")]
    create_type(
        "letter", workflow={"initial": "draft", "states": ["draft", "sent", "void"], "transitions": transitions}
    )
    clients = [client_of(user) for _ in range(WRITERS)]

    for _ in range(ROUNDS):
        row = create_resource(actor=Caller.of(user), content=Content(name="Letter"), type_key="letter")

        def go(number: int, path: str = f"/api/v1/resources/{row.id}/transitions") -> Any:
            return clients[number].post(f"{path}/{'sent' if number % 2 else 'void'}")

        answers = at_once(go)

        assert sorted(answer.status_code for answer in answers) == [200] + [409] * (WRITERS - 1)
        (won,) = (answer.json()["data"] for answer in answers if answer.status_code == 200)
        row.refresh_from_db()
        assert (row.status, row.version) == (won["status"], 2)
        assert Event.objects.filter(type="resource.transitioned", subject_id=str(row.id)).count() == 1


def test_parallel_upserts_of_one_id_make_one_resource(client_of: ClientOf) -> None:
    user = create_user()
    clients = [client_of(user) for _ in range(WRITERS)]

    for each in range(ROUNDS):

        def put(number: int, path: str = f"/api/v1/resources/by-external/item/{each}") -> Any:
            return clients[number].put(path, {"name": f"Name {number}"})

        answers = at_once(put)

        assert sorted(answer.status_code for answer in answers) == [200] * (WRITERS - 1) + [201]
        assert len({answer.json()["data"]["id"] for answer in answers}) == 1
        row = Resource.objects.get(external_id=str(each))
        assert row.version == ResourceVersion.objects.filter(resource=row).count() == WRITERS


def test_upserts_beside_deletions_end_in_one_resource_or_none(client_of: ClientOf) -> None:
    user = create_user()
    clients = [client_of(user) for _ in range(WRITERS)]

    for each in range(ROUNDS):
        made = clients[0].put(f"/api/v1/resources/by-external/item/{each}", {"name": "First"}).json()["data"]["id"]

        def work(number: int, external_id: int = each, row_id: str = made) -> int:
            if number % 4 == 3:
                return int(clients[number].delete(f"/api/v1/resources/{row_id}").status_code)
            path = f"/api/v1/resources/by-external/item/{external_id}"
            return int(clients[number].put(path, {"name": f"Name {number}"}).status_code)

        statuses = at_once(work)

        assert set(statuses) <= {200, 201, 204, 404}
        assert statuses.count(201) <= 1
        assert Resource.objects.filter(external_id=str(each)).count() == statuses.count(201)


def test_parallel_restores_bring_back_once(client_of: ClientOf) -> None:
    user = create_user()
    clients = [client_of(user) for _ in range(WRITERS)]

    for _ in range(ROUNDS):
        row = create_resource(actor=Caller.of(user), content=Content(name="Back"))
        clients[0].delete(f"/api/v1/resources/{row.id}")

        def restore(number: int, path: str = f"/api/v1/resources/{row.id}/restore") -> int:
            return int(clients[number].post(path).status_code)

        assert sorted(at_once(restore)) == [200] + [404] * (WRITERS - 1)
        row.refresh_from_db()
        assert (row.deleted_at, row.version) == (None, 3)


def test_of_parallel_edits_of_one_state_of_a_comment_one_wins(row: Resource, client_of: ClientOf) -> None:
    comment = Comment.objects.create(resource=row, author=row.owner, body="First")
    path = f"/api/v1/resources/{row.id}/comments/{comment.id}"
    clients = [client_of(row.owner) for _ in range(WRITERS)]

    def edit(number: int) -> int:
        headers = {"If-Match": '"1"'}
        return int(clients[number].patch(path, {"body": f"By {number}"}, headers=headers).status_code)

    assert sorted(at_once(edit)) == [200, *[412] * (WRITERS - 1)]
    assert Comment.objects.get().version == 2
    assert Event.objects.filter(type="comment.updated").count() == 1


def test_of_parallel_deletions_of_a_comment_one_wins(row: Resource, client_of: ClientOf) -> None:
    comment = Comment.objects.create(resource=row, author=row.owner, body="First")
    path = f"/api/v1/resources/{row.id}/comments/{comment.id}"
    clients = [client_of(row.owner) for _ in range(WRITERS)]

    assert sorted(at_once(lambda number: clients[number].delete(path).status_code)) == [204, *[404] * (WRITERS - 1)]
    assert Event.objects.filter(type="comment.deleted").count() == 1
