"""Migrations are reviewed code: named, numbered once, complete, and they lead back as well as forth."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from pytest_django import DjangoDbBlocker

from config.tests.sources import APPS, stale

# A migration that cannot be undone, with the reason why it need not be.
IRREVERSIBLE: dict[str, str] = {}

GENERATED_NAME = re.compile(r"auto_\d|_and_more$|^\d{4}_initial$")


def our_migrations() -> dict[str, Migration]:
    loader = MigrationLoader(None)
    return {f"{app}.{name}": item for (app, name), item in loader.disk_migrations.items() if app in APPS}


@pytest.mark.django_db
def test_no_model_has_changed_without_a_migration() -> None:
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=1)


def test_every_migration_has_a_name_that_says_what_it_does() -> None:
    unnamed = [key for key in our_migrations() if GENERATED_NAME.search(key.partition(".")[2])]

    assert unnamed == []


def test_no_two_migrations_of_an_app_share_a_number() -> None:
    numbers = Counter(key[: key.index(".") + 5] for key in our_migrations())

    assert [number for number, count in numbers.items() if count > 1] == []


def test_every_migration_leads_back_or_says_why_not() -> None:
    one_way = {
        key
        for key, migration in our_migrations().items()
        if not all(operation.reversible for operation in migration.operations)
    }

    assert one_way - set(IRREVERSIBLE) == set()
    assert stale(IRREVERSIBLE, one_way) == set()


@pytest.fixture
def empty_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Yield the alias of an empty database of its own, which goes when the test ends."""
    name = f"{connection.settings_dict['NAME']}_empty"
    quoted = connection.ops.quote_name(name)
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {quoted}")
        connections.databases["empty"] = {**connection.settings_dict, "NAME": name}
        try:
            yield "empty"
        finally:
            connections["empty"].close()
            del connections["empty"], connections.databases["empty"]
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {quoted} WITH (FORCE)")
            connection.close()


def test_the_migrations_lead_from_nothing_to_now_and_back_and_forth_again(empty_database: str) -> None:
    call_command("migrate", database=empty_database, verbosity=0)
    reversible = [] if IRREVERSIBLE else [app for app in reversed(APPS) if apps.get_app_config(app)]

    for app in reversible:
        call_command("migrate", app, "zero", database=empty_database, verbosity=0)
    assert left_over_tables(empty_database) == set()

    call_command("migrate", database=empty_database, verbosity=0)


def left_over_tables(alias: str) -> set[str]:
    ours = {
        model._meta.db_table for app in APPS for model in apps.get_app_config(app).get_models(include_auto_created=True)
    }
    return ours & set(connections[alias].introspection.table_names())
