"""POST /resources/bulk by sets, while somebody else holds what a batch needs."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from core.models import Event
from resources.models import Resource, ResourceReference, ResourceVersion
from resources.tests.factories import create_resource, create_type
from resources.tests.test_bulk_sets import bulk, schema

ClientOf = Callable[[User], Client]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_two_that_wait_for_each_other_are_done_one_by_one(client_of: ClientOf) -> None:
    create_type("bill", schema=schema("bill"))
    user = create_user()
    client = client_of(user)
    first, second, target = (create_resource(user, type_id="bill") for _ in range(3))
    operations = [{"op": "update", "id": str(one.id), "data": {"above": str(target.id)}} for one in (first, second)]

    def run() -> list[int]:
        try:
            return [one["status"] for one in bulk(client, operations).json()["data"]]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            hold(target)
            # The other side finds the circle first, and gives way.
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '30s'; SET LOCAL lock_timeout = '30s'")
            told = pool.submit(run)
            wait_for_waiters(1)
            hold(first)
        statuses = told.result(timeout=60)

    assert statuses == [200, 200]
    assert ResourceReference.objects.filter(target=target).count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_two_that_refer_to_what_the_other_writes_are_both_done(client_of: ClientOf) -> None:
    create_type("bill", schema=schema("bill"))
    user = create_user()
    client = client_of(user)
    gate, first, second = sorted((create_resource(user, type_id="bill") for _ in range(3)), key=lambda row: str(row.id))
    # The gate is referred to first, whichever it is: without an order both would hold what they write by then.
    batches: list[list[dict[str, Any]]] = [
        [
            {"op": "update", "id": str(one.id), "data": {"above": str(other.id)}},
            {"op": "create", "type": "bill", "name": "N", "data": {"above": str(gate.id)}},
        ]
        for one, other in ((first, second), (second, first))
    ]

    def run(operations: list[dict[str, Any]]) -> Any:
        try:
            return bulk(client, operations, atomic=True).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            hold(gate)
            told = [pool.submit(run, operations) for operations in batches]
            wait_for_waiters(2)
        statuses = [one.result(timeout=60) for one in told]

    assert statuses == [200, 200]
    assert ResourceReference.objects.filter(target__in=[first, second]).count() == 2
    assert ResourceReference.objects.filter(target=gate).count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactional_db")
def test_one_that_has_to_give_way_is_done_again_as_a_whole(client_of: ClientOf) -> None:
    user = create_user()
    client = client_of(user)
    first, second = sorted((create_resource(user) for _ in range(2)), key=lambda row: str(row.id))
    operations = [{"op": "update", "id": str(one.id), "name": "New"} for one in (first, second)]

    def run() -> Any:
        try:
            return bulk(client, operations, atomic=True).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            hold(second)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '30s'; SET LOCAL lock_timeout = '30s'")
            told = pool.submit(run)
            wait_for_waiters(1)
            hold(first)
        status = told.result(timeout=60)

    assert status == 200
    assert {(row.name, row.version) for row in Resource.objects.all()} == {("New", 2)}
    assert ResourceVersion.objects.filter(number=2).count() == 2
    assert Event.objects.filter(type="resource.updated").count() == 2


def hold(row: Resource) -> None:
    """Lock the row for the transaction at hand."""
    Resource.objects.select_for_update().get(pk=row.pk)


def wait_for_waiters(number: int) -> None:
    """Return when so many wait for a lock."""
    end = time.monotonic() + 30
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            # Within a transaction the view stays as it was looked at first.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0] >= number:
                return
    raise AssertionError("They do not wait.")
