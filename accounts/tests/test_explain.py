"""`manage.py explain` shows how PostgreSQL answers a page, and leaves nothing behind."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Session, User
from core.models import Event, OutboxRow

pytestmark = pytest.mark.django_db

PATH = "/api/v1/users?sort=name"


def explained(path: str, **options: object) -> str:
    output = StringIO()
    call_command("explain", path, stdout=output, no_color=True, **options)
    return output.getvalue()


def test_a_page_is_shown_by_its_statements(admin: User) -> None:
    output = explained(PATH, email=admin.email)

    lines = output.splitlines()
    assert lines[0].startswith("1. SELECT")
    assert any('FROM "users"' in line for line in explained(PATH, email=admin.email, plans=True).splitlines())
    assert lines[-1].startswith("200 OK; ")
    assert lines[-1].endswith(" read, 0 from end to end of a large table.")


def test_nothing_is_left_behind(admin: User) -> None:
    before = (Session.objects.count(), Event.objects.count(), OutboxRow.objects.count())

    explained(PATH, email=admin.email, analyze=True)

    assert (Session.objects.count(), Event.objects.count(), OutboxRow.objects.count()) == before


def test_times_are_those_of_a_run(admin: User) -> None:
    assert "actual time=" in explained(PATH, email=admin.email, analyze=True)
    assert "actual time=" not in explained(PATH, email=admin.email, plans=True)


def test_a_large_table_that_is_read_from_end_to_end_is_told_and_fails(admin: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE users")
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
    output = StringIO()

    with pytest.raises(CommandError, match=r"[1-9]\d* from end to end of a large table\.$"):
        call_command("explain", PATH, email=admin.email, large=1, stdout=output, no_color=True)

    assert "   reads all of users: about " in output.getvalue()


@pytest.mark.parametrize(
    ("path", "email", "said"),
    [
        ("/api/v1/nowhere", None, "answers 404 Not Found"),
        (PATH, None, "answers 401 Unauthorized"),
        (PATH, "nobody@example.com", "There is no user nobody@example.com."),
    ],
)
def test_what_cannot_be_asked_is_said(path: str, email: str | None, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        explained(path, email=email)
