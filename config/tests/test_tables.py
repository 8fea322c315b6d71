"""Every table of ours keeps its two times by itself, and every foreign key is the database's own promise."""

import pytest
from django.apps import apps
from django.db import connection, models

from config.tests.sources import APPS, stale

# A table without `created_at`/`updated_at` (and the trigger that keeps the second), with the reason.
WITHOUT_TIMES: dict[str, str] = {
    "events": "append-only; `occurred_at` is its time, and a trigger refuses every change",
    "dry_run_keys": "digests of what a job has seen, gone with its end; the job has the times",
    "resource_tags": "a copy of `resources.tags` that a trigger keeps; the resource has the times",
    "event_seals": "append-only; `sealed_at` is its time, and a trigger refuses every change",
    "event_deliveries": "a proof, written once and never changed; `handled_at` is its time",
}
# What looks like a table and is a view over tables that are each held to all of this.
VIEWS = frozenset({"resource_history"})
# A foreign key that the database does not hold, as `table.column`, with the reason.
WITHOUT_CONSTRAINT: dict[str, str] = {}

TIMES = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND column_name IN ('created_at', 'updated_at')
      AND is_nullable = 'NO' AND column_default IS NOT NULL
"""
TRIGGERS = """
    SELECT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE tgname = 'keep_updated_at'
"""
FOREIGN_KEYS = """
    SELECT relname || '.' || attname
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
    WHERE contype = 'f' AND convalidated
"""


def our_models() -> list[type[models.Model]]:
    """Return the models that have a table of their own."""
    found = [model for app in APPS for model in apps.get_app_config(app).get_models(include_auto_created=True)]
    return [model for model in found if not model._meta.proxy and model._meta.db_table not in VIEWS]


def rows(sql: str) -> set[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return set(cursor.fetchall())


@pytest.mark.django_db
def test_nothing_else_is_a_view() -> None:
    found = rows("SELECT viewname FROM pg_views WHERE schemaname = current_schema()")

    assert {name for (name,) in found} == VIEWS


@pytest.mark.django_db
def test_every_table_has_its_times_with_defaults_and_a_trigger() -> None:
    times, triggers = rows(TIMES), {name for (name,) in rows(TRIGGERS)}
    tables = {model._meta.db_table for model in our_models()}

    incomplete = {
        table
        for table in tables
        if not {(table, "created_at"), (table, "updated_at")} <= times or table not in triggers
    }

    assert incomplete - set(WITHOUT_TIMES) == set()
    assert stale(WITHOUT_TIMES, incomplete) == set()


@pytest.mark.django_db
def test_every_foreign_key_is_held_by_the_database() -> None:
    held = {name for (name,) in rows(FOREIGN_KEYS)}
    declared = {
        f"{model._meta.db_table}.{field.column}"
        for model in our_models()
        for field in model._meta.local_fields
        if isinstance(field, models.ForeignKey)
    }

    assert declared - held - set(WITHOUT_CONSTRAINT) == set()
    assert stale(WITHOUT_CONSTRAINT, declared - held) == set()
