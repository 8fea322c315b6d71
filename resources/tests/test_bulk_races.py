"""POST /resources/bulk by sets, while somebody else holds what a batch needs."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_user
from resources.models import Resource, ResourceReference
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
            _hold(target)
            # The other side finds the circle first, and gives way.
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '30s'; SET LOCAL lock_timeout = '30s'")
            told = pool.submit(run)
            _wait_for_a_waiter()
            _hold(first)
        statuses = told.result(timeout=60)

    assert statuses == [200, 200]
    assert ResourceReference.objects.filter(target=target).count() == 2


def _hold(row: Resource) -> None:
    Resource.objects.select_for_update().get(pk=row.pk)


def _wait_for_a_waiter() -> None:
    end = time.monotonic() + 30
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            # Within a transaction the view stays as it was looked at first.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError("Nobody waits.")
