"""`manage.py check_denormalised` finds what was written past triggers and services, and mends it when asked."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from core.denormalised import registered
from core.tests.spine import Drain
from resources.access import Level
from resources.models import Resource
from resources.tests.factories import attach, create_file, create_type, share

pytestmark = pytest.mark.django_db

PATH = "/api/v1/resources"
SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "string", "x-unique": True}, "note": {"type": "string", "x-read": ["moderator"]}},
}


@pytest.fixture
def client(owner: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(owner)


@pytest.fixture
def _world(client: Client, owner: User, stranger: User) -> None:
    """Something of all that is repeated, made by the doors that keep it in step."""
    create_type("badge", schema=SCHEMA)
    made = client.post(PATH, {"name": "One", "tags": ["red", "Round"]}).json()["data"]
    assert client.patch(f"{PATH}/{made['id']}", {"name": "Two"}).status_code == 200
    badge = client.post(PATH, {"type": "badge", "name": "B", "data": {"number": "7"}}).json()["data"]
    share(Resource.objects.get(pk=made["id"]), stranger, Level.VIEWER)
    share(Resource.objects.get(pk=badge["id"]), stranger, Level.VIEWER)
    assert client.delete(f"{PATH}/{made['id']}").status_code == 204
    assert client.post(f"{PATH}/{made['id']}/restore").status_code == 200
    attach(create_file(owner), made["id"])


def write(statement: str) -> None:
    """Write as a restore of single tables would: no trigger looks."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def run(**options: Any) -> tuple[str, str]:
    """Return what the command says, and in the end why it fails, if it does."""
    output = StringIO()
    try:
        call_command("check_denormalised", stdout=output, no_color=True, **options)
    except CommandError as end:
        return output.getvalue(), str(end)
    return output.getvalue(), ""


@pytest.mark.usefixtures("_world")
def test_what_came_through_our_doors_agrees() -> None:
    output, failure = run()

    compared = sum(one.count_wrong is not None for one in registered())
    assert failure == ""
    assert output.count("ok ") == compared
    assert output.splitlines()[-1] == f"{compared} columns compared, 0 rows disagree, 0 mended."


DAMAGES = {
    "users.mfa_enabled": "UPDATE users SET mfa_enabled = true WHERE email = 'owner@example.com'",
    "resource_types.field_rules, .search_plan, .share_plan": "UPDATE resource_types SET field_rules = NULL, "
    'share_plan = \'{"since": 1, "paths": [["note"]]}\' WHERE key = \'badge\'',
    "resource_types.schema": "UPDATE resource_types SET schema = '{}' WHERE key = 'badge'",
    "resources.search": "UPDATE resources SET search = 'gone' WHERE name = 'Two'",
    "resources.version": "UPDATE resources SET version = 9 WHERE name = 'Two'",
    "resource_tags.*": "UPDATE resource_tags SET tag = 'blue', key = 'blue' WHERE tag = 'red'",
    "resource_unique_values.*, resource_references.*": "DELETE FROM resource_unique_values",
    "shares.resource_…": "UPDATE shares SET resource_in_bin = true",
    "files.version": "UPDATE files SET version = 2",
    "messages.attempt_count": "INSERT INTO message_attempts (id, message_id, number) "
    "SELECT id, id, 3 FROM messages ORDER BY id LIMIT 1",
}
MENDED = [name for name in DAMAGES if next(one.mend for one in registered() if one.column == name)]


def test_everything_that_can_be_compared_is_damaged_below() -> None:
    assert sorted(DAMAGES) == sorted(one.column for one in registered() if one.count_wrong is not None)


@pytest.mark.usefixtures("_world")
@pytest.mark.parametrize("column", DAMAGES)
def test_a_row_that_disagrees_is_counted_and_left_alone(column: str, anonymous: Client, drain: Drain) -> None:
    assert anonymous.post("/api/v1/auth/forgot-password", {"email": "owner@example.com"}).status_code == 202
    drain()
    write(DAMAGES[column])

    output, failure = run()
    again, _ = run()

    assert f"BAD {column}: " in output
    assert "rows disagree, 0 mended." in failure
    assert again == output


@pytest.mark.usefixtures("_world")
@pytest.mark.parametrize("column", MENDED)
def test_a_row_that_disagrees_is_mended_when_asked(column: str) -> None:
    write(DAMAGES[column])

    output, failure = run(mend=True)

    assert failure == ""
    assert f"BAD {column}: " in output
    assert run()[0].splitlines()[-1].endswith(" 0 rows disagree, 0 mended.")
