"""What a share knows of its resource is what the resource is: whoever writes, in whatever order, and side by side."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from time import sleep
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from resources.access import Asker, Level
from resources.models import Resource, Share
from resources.services.share_checks import mend, out_of_step
from resources.services.transferring import transfer_resource
from resources.tests.factories import caller, create_resource, create_type, share
from resources.tests.test_access import walked

ClientOf = Callable[[User], Client]
in_one_transaction = pytest.mark.django_db
in_many = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("transactional_db")]


def known(row: Share) -> tuple[Any, ...]:
    row.refresh_from_db()
    return (
        row.resource_owner_id,
        row.resource_type,
        row.resource_visibility,
        row.resource_created_at,
        row.resource_in_bin,
    )


def true_of(resource: Resource) -> tuple[Any, ...]:
    found = Resource.all_objects.get(pk=resource.pk)
    return found.owner_id, found.type_id, found.visibility, found.created_at, found.deleted_at is not None


@in_one_transaction
def test_a_new_share_knows_its_resource_whatever_is_said_of_it(owner: User, stranger: User) -> None:
    row = create_resource(owner, visibility="internal")

    made = Share.objects.create(
        resource=row, user=stranger, access=Level.VIEWER, given_by=owner, resource_owner_id=stranger.id
    )

    assert known(made) == true_of(row) == (owner.id, "item", "internal", row.created_at, False)


@in_one_transaction
@pytest.mark.parametrize(
    "changes",
    [
        {"visibility": "public"},
        {"type_id": "other"},
        {"created_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"deleted_at": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_share_follows_its_resource_and_is_no_younger_for_it(
    owner: User, stranger: User, changes: dict[str, Any]
) -> None:
    create_type("other")
    row = create_resource(owner)
    made, other = share(row, stranger, Level.EDITOR), share(create_resource(owner), stranger, Level.EDITOR)
    other_knew, made_at = known(other), made.updated_at

    Resource.all_objects.filter(pk=row.pk).update(**changes)

    assert known(made) == true_of(row)
    assert made.updated_at == made_at
    assert known(other) == other_knew


@in_one_transaction
def test_bin_and_restore_take_a_shared_resource_out_of_the_list_and_back(
    owner: User, stranger: User, client_of: ClientOf
) -> None:
    row = create_resource(owner)
    made = share(row, stranger, Level.VIEWER)
    asker = Asker.of(caller(stranger))

    assert client_of(owner).delete(f"/api/v1/resources/{row.id}").status_code == 204
    in_bin = (walked(asker), known(made)[-1])
    assert client_of(owner).post(f"/api/v1/resources/{row.id}/restore").status_code == 200

    assert in_bin == ([], True)
    assert (walked(asker), known(made)[-1]) == ([row.id], False)


@in_one_transaction
def test_nobody_writes_what_a_share_knows(owner: User, stranger: User) -> None:
    row = create_resource(owner)
    made = share(row, stranger, Level.VIEWER)

    Share.objects.filter(pk=made.pk).update(resource_owner_id=stranger.id, resource_in_bin=True)

    assert known(made) == true_of(row)


@in_one_transaction
def test_what_was_written_past_the_triggers_is_found_and_mended(owner: User, stranger: User) -> None:
    made = share(create_resource(owner), stranger, Level.VIEWER)
    share(create_resource(owner), stranger, Level.VIEWER)
    with past_the_triggers():
        Share.objects.filter(pk=made.pk).update(resource_owner_id=stranger.id)

    assert list(out_of_step()) == [made]
    assert mend() == 1

    assert list(out_of_step()) == []
    assert known(made)[0] == owner.id


class TestSideBySide:
    """Two transactions, of which neither sees what the other has not committed yet."""

    pytestmark = in_many

    def test_a_share_waits_for_a_transfer_that_has_begun(self) -> None:
        row, heir, receiver = create_resource(create_user()), create_user(), create_user()

        with transaction.atomic():
            transfer_resource(actor=caller(row.owner), resource_id=row.id, owner_id=heir.id)
            made = begun(lambda: share(row, receiver, Level.VIEWER))
            assert not made.done()

        assert known(made.result()) == true_of(row)
        assert known(made.result())[0] == heir.id

    def test_a_transfer_waits_for_a_share_that_has_begun_and_tells_it(self) -> None:
        row, heir, receiver = create_resource(create_user()), create_user(), create_user()

        with transaction.atomic():
            made = share(row, receiver, Level.VIEWER)
            moved = begun(lambda: Resource.objects.filter(pk=row.pk).update(owner=heir))
            assert not moved.done()

        assert moved.result() == 1
        assert known(made) == true_of(row)
        assert known(made)[0] == heir.id


def begun(work: Callable[[], Any]) -> "Future[Any]":
    """Return the work as it runs on a connection of its own, after a time in which it would be done if it could."""

    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(run)
    pool.shutdown(wait=False)
    sleep(0.3)
    return future


@contextmanager
def past_the_triggers() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE shares DISABLE TRIGGER USER")
        yield
        cursor.execute("ALTER TABLE shares ENABLE TRIGGER USER")
