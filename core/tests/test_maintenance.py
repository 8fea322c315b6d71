"""The database is given statistics, and what has gone wrong in it is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, models
from django.test import Client

from core import schedules
from core.maintenance import maintain
from core.models import ScheduleRun
from core.permissions import SYSTEM
from core.tests.spine import Drain

pytestmark = pytest.mark.django_db


def known_rows(table: str) -> int:
    """Return how many rows the planner believes the table has; -1 where it knows nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])


def forget(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_class SET reltuples = -1 WHERE oid = %s::regclass", [table])


@contextmanager
def held(table: str) -> Iterator[None]:
    """Hold a table as a long migration would, in a session of its own."""
    with psycopg.connect(_dsn()) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


def _dsn() -> str:
    parameters = connection.get_connection_params()
    named = {"dbname": parameters["dbname"]}
    named |= {name: parameters[name] for name in ("user", "password", "host", "port") if parameters.get(name)}
    return psycopg.conninfo.make_conninfo(**named)


def run(**options: object) -> tuple[int, str]:
    output = StringIO()
    try:
        call_command("db_maintenance", stdout=output, no_color=True, **options)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue()
    return 0, output.getvalue()


@pytest.mark.parametrize("table", ["users", "events"])
def test_the_planner_knows_every_table_afterwards(owner: models.Model, table: str) -> None:
    forget(table)

    report = maintain()

    assert known_rows(table) >= (1 if table == "users" else 0)
    assert table in report.analysed
    assert report.busy == ()


def test_a_table_that_somebody_holds_is_left_and_named() -> None:
    with held("threats"):
        report = maintain()

    assert report.busy == ("threats",)
    assert "users" in report.analysed
    assert str(report).startswith(f"{len(report.analysed)} tables analysed, 1 were busy (threats); ")


def test_a_dry_run_only_looks(owner: models.Model) -> None:
    forget("users")

    code, output = run(dry_run=True)

    assert code == 0
    assert known_rows("users") == -1
    assert output.splitlines()[-1].startswith("0 tables analysed; ")


def test_a_broken_index_fails_the_command() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_users_created_at'::regclass")

    code, output = run()

    assert code == 1
    assert "red    indexes: not valid: idx_users_created_at" in output


def test_the_nightly_run_shows_its_report_in_the_admin(
    admin: models.Model, browser_of: Callable[[models.Model], Client], drain: Drain
) -> None:
    planned = schedules.run_now(name="maintain-database", actor=SYSTEM)
    drain()

    run_of_it = ScheduleRun.objects.get(pk=planned.pk)
    page = browser_of(admin).get(f"/admin/core/schedulerun/{planned.pk}/change/")

    assert run_of_it.outcome == ScheduleRun.SUCCEEDED
    assert " tables analysed; " in run_of_it.result
    assert run_of_it.result.splitlines()[0] in page.content.decode()
