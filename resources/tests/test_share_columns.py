"""What a share knows of its resource is what the resource is: whoever writes, in whatever order, and side by side."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from time import sleep
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from core.identifiers import uuid7
from core.jobs import Work
from resources.access import Asker, Level
from resources.models import Resource, SchemaFollowing, Share
from resources.services.share_checks import mend, out_of_step
from resources.services.share_following import follow_next
from resources.services.transferring import transfer_resource
from resources.tests.factories import caller, create_resource, create_type, share
from resources.tests.test_access import walked
from resources.tests.test_share_values import change, kept, plan_since

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
        row.resource_status,
    )


def true_of(resource: Resource) -> tuple[Any, ...]:
    found = Resource.all_objects.get(pk=resource.pk)
    return (
        found.owner_id,
        found.type_id,
        found.visibility,
        found.created_at,
        found.deleted_at is not None,
        found.status,
    )


@in_one_transaction
def test_a_new_share_knows_its_resource_whatever_is_said_of_it(owner: User, stranger: User) -> None:
    row = create_resource(owner, visibility="internal")

    made = Share.objects.create(
        resource=row, user=stranger, access=Level.VIEWER, given_by=owner, resource_owner_id=stranger.id
    )

    assert known(made) == true_of(row) == (owner.id, "item", "internal", row.created_at, False, "active")


@in_one_transaction
@pytest.mark.parametrize(
    "changes",
    [
        {"visibility": "public"},
        {"status": "draft"},
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
    in_bin = (walked(asker), known(made)[4])
    assert client_of(owner).post(f"/api/v1/resources/{row.id}/restore").status_code == 200

    assert in_bin == ([], True)
    assert (walked(asker), known(made)[4]) == ([row.id], False)


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

    def test_a_share_waits_for_a_write_that_has_begun_and_keeps_its_value(self) -> None:
        row, receiver = create_note(1), create_user()

        with transaction.atomic():
            Resource.objects.filter(pk=row.pk).update(data={"total": 2}, status="draft")
            made = begun(lambda: share(row, receiver, Level.VIEWER))
            assert not made.done()

        assert kept(made.result()) == ("draft", {"total": 2}, 1)

    def test_a_write_waits_for_a_share_that_has_begun_and_tells_it(self) -> None:
        row = create_note(1)

        with transaction.atomic():
            made = share(row, create_user(), Level.VIEWER)
            written = begun(lambda: Resource.objects.filter(pk=row.pk).update(data={"total": 2}))
            assert not written.done()

        assert written.result() == 1
        assert kept(made) == ("active", {"total": 2}, 1)

    def test_the_job_waits_for_whoever_shares_by_the_schema_before(self) -> None:
        row, work = create_note(1), begun_job()

        with transaction.atomic():
            made = share(row, create_user(), Level.VIEWER)
            changed = begun(lambda: change({"type": "object", "properties": {"total": {"type": "number"}}}))
            assert changed.result() is None
            assert begun(lambda: follow_next(work)).result() is None
            assert work.done == 0
            assert kept(made) == ("active", {"total": 1}, 1)

        follow_to_the_end(work)
        assert kept(made) == ("active", None, None)
        assert not SchemaFollowing.objects.exists()

    def test_whoever_writes_shares_and_changes_the_type_all_at_once_the_copies_are_true(self) -> None:
        row, people = create_note(0), [create_user() for _ in range(8)]
        plain, indexed = ({"type": "object", "properties": {"total": one}} for one in ({"type": "number"}, INDEXED))

        def write(place: int) -> None:
            for step in range(8):
                Resource.objects.filter(pk=row.pk).update(data={"total": 100 * place + step})
                if step % 2:
                    share(row, people[4 * place + step // 2], Level.VIEWER)

        def change_again() -> None:
            for schema in (plain, indexed, plain, indexed):
                change(schema)

        works: list[Callable[[], None]] = [
            partial(write, 0),
            partial(write, 1),
            change_again,
            follow_to_the_end,
            follow_to_the_end,
        ]
        with ThreadPoolExecutor(len(works)) as pool:
            done = [pool.submit(on_its_own, work) for work in works]
        assert [one.exception() for one in done] == [None] * len(works)

        assert not out_of_step().filter(resource_data_since=plan_since())
        follow_to_the_end()
        assert not out_of_step()
        assert Share.objects.filter(resource_data_since=plan_since()).count() == 8


INDEXED = {"type": "number", "x-index": True}


def create_note(total: int) -> Resource:
    create_type("note", schema={"type": "object", "properties": {"total": INDEXED}})
    return create_resource(create_user(), type_id="note", data={"total": total})


def begun_job() -> Work:
    return Work(uuid7(), None, parameters={"type": "note"}, checkpoint={})


def follow_to_the_end(work: Work | None = None) -> None:
    work = work or begun_job()
    while True:
        with transaction.atomic():
            if follow_next(work) is not None:
                return


def on_its_own(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connection.close()


def begun(work: Callable[[], Any]) -> "Future[Any]":
    """Return the work as it runs on a connection of its own, after a time in which it would be done if it could."""

    pool = ThreadPoolExecutor(1)
    future = pool.submit(on_its_own, work)
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
