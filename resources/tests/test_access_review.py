"""`manage.py access_review` and its page: who may what, who holds which shares, who was looked at."""

import csv
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AccessReview, Role, Session, User
from accounts.services.access_review import CHUNK, access_rows, columns
from accounts.tests.factories import create_api_token_of, create_connection, create_session, create_user
from core.models import Event
from resources.access import Level
from resources.tests.factories import create_resource, share

BrowserOf = Callable[[User], Client]
PAGE = "/admin/accounts/accessofuser/"
LONG_AGO = datetime.now(UTC) - timedelta(days=91)


def review() -> dict[str, dict[str, str]]:
    """Run the command; return its rows by address."""
    out = StringIO()
    call_command("access_review", "--csv", stdout=out, stderr=StringIO())
    return {row["email"]: row for row in csv.DictReader(StringIO(out.getvalue()))}


def listed(browser: Client, concern: str) -> set[str]:
    page: Any = browser.get(PAGE, {"concern": concern})
    assert page.status_code == 200
    return {user.email for user in page.context["cl"].result_list}


def create_many(number: int) -> None:
    role = Role.objects.get(name="user")
    User.objects.bulk_create(
        User(email=f"many-{index}@example.com", name="M", password="!", role=role) for index in range(number)
    )


def test_a_row_says_what_somebody_may_and_did(owner: User, stranger: User, moderator: User) -> None:
    create_session(moderator)
    create_api_token_of(moderator, "read:user", "read:resource", last_used_at=datetime.now(UTC))
    create_connection(moderator)
    share(create_resource(owner), moderator, Level.VIEWER)
    share(create_resource(moderator), owner, Level.EDITOR)

    row = review()[moderator.email]

    assert tuple(row) == columns()
    assert (row["role"], row["state"], row["mfa"]) == ("moderator", "ready", "no")
    assert row["permissions"] == "read:resource read:role read:user write:resource write:user"
    assert (row["live_sessions"], row["live_api_tokens"]) == ("1", "1")
    assert set(row["api_token_scopes"].split()) == {"read:user", "read:resource"}
    assert row["connections"] == "github"
    assert (row["resources_owned"], row["shares_held"], row["shares_given"]) == ("1", "1", "1")
    assert row["last_used_at"] > row["last_sign_in_at"]


def test_deleted_users_are_not_in_it(owner: User, stranger: User) -> None:
    User.objects.filter(pk=owner.pk).update(deleted_at=datetime.now(UTC))

    assert set(review()) == {stranger.email}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1"])
def test_a_name_is_no_formula(db: None, name: str) -> None:
    user = create_user(name=name)

    assert review()[user.email]["name"] == f"'{name}"


def test_the_file_is_for_its_owner_alone(owner: User, tmp_path: Path) -> None:
    path, err = tmp_path / "review.csv", StringIO()

    call_command("access_review", "--csv", str(path), stderr=err)

    assert path.read_text().splitlines()[0] == ",".join(columns())
    assert path.stat().st_mode & 0o077 == 0
    assert err.getvalue() == "1 users.\n"
    with pytest.raises(CommandError, match="No such file"):
        call_command("access_review", "--csv", "/nowhere/review.csv")


def test_without_a_file_it_counts_what_is_to_worry_about(owner: User, admin: User) -> None:
    User.objects.filter(pk=owner.pk).update(last_login_at=LONG_AGO)
    out = StringIO()

    call_command("access_review", stdout=out)

    assert out.getvalue().splitlines() == [
        "Never signed in: 1",
        "Idle for 90 days: 1",
        "Administrator without MFA: 1",
        "Tokens unused for 90 days: 0",
        "Not reviewed for 90 days: 2",
        "2 users.",
    ]


def test_the_cost_is_a_fixed_number_of_queries_for_each_chunk(db: None) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            list(access_rows())
        return len(captured)

    create_user()
    one = queries()
    create_many(2 * CHUNK - 1)

    assert queries() - 1 == 2 * (one - 1)
    assert one <= 12


def test_memory_stays_flat(db: None) -> None:
    def peak() -> int:
        tracemalloc.start()
        for _ in access_rows():
            pass
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    create_many(2 * CHUNK)
    first = peak()
    User.objects.all().delete()
    create_many(6 * CHUNK)

    assert peak() < 1.5 * first


# The page --------------------------------------------------------------------------------------


def test_the_filters_find_what_is_to_worry_about(
    owner: User, stranger: User, admin: User, browser_of: BrowserOf
) -> None:
    User.objects.filter(pk=owner.pk).update(last_login_at=LONG_AGO)
    create_api_token_of(stranger)
    stranger.api_tokens.update(created_at=LONG_AGO)
    browser = browser_of(admin)

    assert listed(browser, "never") == {stranger.email}
    assert listed(browser, "idle") == {owner.email}
    assert listed(browser, "admin") == {admin.email}
    assert listed(browser, "tokens") == {stranger.email}
    assert listed(browser, "due") == {owner.email, stranger.email, admin.email}


def test_whoever_used_a_session_or_a_token_is_not_idle(
    owner: User, stranger: User, admin: User, browser_of: BrowserOf
) -> None:
    User.objects.update(last_login_at=LONG_AGO)
    create_session(owner)
    create_api_token_of(stranger, last_used_at=datetime.now(UTC))

    assert listed(browser_of(admin), "idle") == set()


def test_a_review_is_marked_with_a_note(owner: User, admin: User, browser_of: BrowserOf) -> None:
    browser = browser_of(admin)

    browser.post(PAGE, {"action": "mark_as_reviewed", "note": " Still needs it ", "_selected_action": [str(owner.pk)]})

    mark = AccessReview.objects.get()
    event = Event.objects.get(type="access.reviewed")
    assert (mark.user, mark.reviewed_by, mark.note) == (owner, admin, "Still needs it")
    assert (event.actor, event.subject_id) == (admin.pk, str(owner.pk))
    assert owner.email not in listed(browser, "due")
    row = review()[owner.email]
    assert (row["last_reviewed_by"], row["last_review_note"]) == (admin.email, "Still needs it")
    page = browser.get(f"{PAGE}{owner.pk}/change/").content.decode()
    assert "Still needs it" in page
    assert "shares held" in page


def test_an_auditor_looks_and_marks_nothing(owner: User, browser_of: BrowserOf) -> None:
    Role.objects.create(name="auditor", permissions=["read:user", "read:audit"])
    browser = browser_of(create_user("auditor"))

    answer = browser.post(PAGE, {"action": "mark_as_reviewed", "_selected_action": [str(owner.pk)]})

    assert browser.get(PAGE).status_code == 200
    assert answer.status_code in {200, 302, 403}
    assert not AccessReview.objects.exists()


def test_who_was_signed_in_by_support_was_not_there_themself(owner: User, admin: User) -> None:
    User.objects.filter(pk=owner.pk).update(last_login_at=None)
    session = create_session(owner)
    Session.objects.filter(pk=session.pk).update(impersonated_by=admin)

    assert review()[owner.email]["last_used_at"] == ""
