"""Single writes that wait for each other: who has to give way is done again, and nobody is told of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from core.models import Event, IdempotencyKey
from core.transactions import again_after_a_lost_race, atomic
from resources.access import Level
from resources.models import Resource, ResourceReference, ResourceVersion, Share
from resources.tests.factories import create_resource, create_type
from resources.tests.test_bulk_races import hold, wait_for_waiters

ClientOf = Callable[[User], Client]
BrowserOf = Callable[[User], Client]
PATH = "/api/v1/resources"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("transactional_db")]


@pytest.fixture
def user() -> User:
    """Who has a type of resources that refer to each other."""
    create_type("node", schema={"type": "object", "properties": {"other": {"type": "string", "x-ref": "node"}}})
    return create_user()


def in_a_thread(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[Any]:
    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    return pool.submit(run)


@contextmanager
def in_a_circle(work: Callable[[], Any], *, taken: Resource, wanted: Resource) -> Iterator[list[Any]]:
    """Have `work` wait for `taken` while it holds `wanted`, so that it has to give way; fills in what it returns."""
    results: list[Any] = []
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            hold(taken)
            with connection.cursor() as cursor:
                # The other side finds the circle first.
                cursor.execute("SET LOCAL deadlock_timeout = '30s'; SET LOCAL lock_timeout = '30s'")
            told = in_a_thread(pool, work)
            wait_for_waiters(1)
            hold(wanted)
        results.append(told.result(timeout=60))
    yield results


def test_two_patches_that_refer_to_each_other_are_both_done(client_of: ClientOf, user: User) -> None:
    first, second = (create_resource(user, type_id="node") for _ in range(2))
    both = [(client_of(user), one, other) for one, other in ((first, second), (second, first))]

    def patch(client: Client, one: Resource, other: Resource) -> int:
        return int(client.patch(f"{PATH}/{one.id}", {"data": {"other": str(other.id)}}).status_code)

    for _ in range(3):
        Resource.objects.update(data={})
        ResourceReference.objects.all().delete()
        with ThreadPoolExecutor(2) as pool:
            told = [in_a_thread(pool, lambda given=given: patch(*given)) for given in both]  # type: ignore[misc]
        assert [one.result() for one in told] == [200, 200]

    assert ResourceReference.objects.count() == 2
    assert sorted(Resource.objects.values_list("version", flat=True)) == [4, 4]


def test_who_gives_way_is_done_again_with_one_version_and_one_event(client_of: ClientOf, user: User) -> None:
    row, target = (create_resource(user, type_id="node") for _ in range(2))
    client = client_of(user)

    def patch() -> int:
        return int(client.patch(f"{PATH}/{row.id}", {"data": {"other": str(target.id)}}).status_code)

    with in_a_circle(patch, taken=target, wanted=row) as statuses:
        assert statuses == [200]

    assert ResourceReference.objects.filter(resource=row, target=target).count() == 1
    assert (
        Resource.objects.get(id=row.id).version
        == ResourceVersion.objects.filter(resource=row).latest("number").number
        == 2
    )
    assert Event.objects.filter(type="resource.updated").count() == 1


def test_so_is_one_under_a_key_with_one_effect(client_of: ClientOf, user: User) -> None:
    create_type("leaf", schema={"type": "object", "properties": {"on": {"type": "array", "items": {
        "type": "string", "x-ref": "node"}}}})  # fmt: skip
    low, high = sorted((create_resource(user, type_id="node") for _ in range(2)), key=lambda row: str(row.id))
    client, body = client_of(user), {"type": "leaf", "name": "L", "data": {"on": [str(low.id), str(high.id)]}}

    def create() -> tuple[int, Any]:
        answer = client.post(PATH, body, headers={"Idempotency-Key": "once"})
        return answer.status_code, answer.json()

    with in_a_circle(create, taken=high, wanted=low) as ((status, made),):
        assert status == 201

    assert Resource.objects.get(type_id="leaf").pk == Resource.objects.get(pk=made["data"]["id"]).pk
    assert IdempotencyKey.objects.count() == 1
    again = client.post(PATH, body, headers={"Idempotency-Key": "once"})
    assert (again["Idempotency-Replayed"], again.json()) == ("true", made)


def test_so_is_what_staff_save(user: User, admin: User, browser_of: BrowserOf) -> None:
    row, target = (create_resource(user, type_id="node") for _ in range(2))
    browser = browser_of(admin)
    form = {"name": "N", "visibility": "private", "description": "", "tags": "", "seen_version": "1"}

    def save() -> str:
        data = f'{{"other": "{target.id}"}}'
        page = browser.post(f"/admin/resources/resource/{row.id}/change/", {**form, "contents": data}, follow=True)
        return str(page.content.decode())

    with in_a_circle(save, taken=target, wanted=row) as (page,):
        assert "was changed successfully" in page

    assert Resource.objects.get(id=row.id).data == {"other": str(target.id)}
    assert Resource.objects.get(id=row.id).version == 2


def test_so_is_whatever_else_is_one_transaction(user: User) -> None:
    row, other = create_resource(user), create_resource(user)

    @atomic
    def share_both() -> None:
        hold(row)
        hold(other)
        Share.objects.create(resource=row, user=create_user(), access=Level.VIEWER, given_by=user)

    with in_a_circle(share_both, taken=other, wanted=row) as results:
        assert results == [None]

    assert Share.objects.filter(resource=row).count() == 1


def test_who_loses_again_and_again_is_told_so() -> None:
    tries: list[int] = []

    def lose() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40P01'; END $$")

    with pytest.raises(Exception, match="lost"):
        again_after_a_lost_race(lose)

    assert len(tries) == 3
