"""The pytest plugin that gives a test which commits the rows that migrations made: roles, types.

Such a test ends with a flush of every table, so the next one would find none.
"""

import pytest
from django.core import serializers
from django.db import connection
from django.db.models import Model
from pytest_django import DjangoDbBlocker

from config.tests.sources import APPS
from core.tests.spine import commits


@pytest.fixture(scope="session")
def _migrated_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> str:
    """What is in the database before the first test that commits: pytest-django runs those last."""
    with django_db_blocker.unblock():
        return connection.creation.serialize_db_to_string()


@pytest.fixture(autouse=True)
def _restored_rows(request: pytest.FixtureRequest) -> None:
    if not commits(request):
        return
    rows = request.getfixturevalue("_migrated_rows")
    request.getfixturevalue("transactional_db")
    for row in serializers.deserialize("json", rows):
        if row.object._meta.app_label in APPS and not _is_there(row.object):
            row.save()


def _is_there(row: Model) -> bool:
    return type(row)._base_manager.filter(pk=row.pk).exists()
