"""POST /auth/change-email, and the link that it mails."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.answers import (
    INVALID_LINK,
    NOT_AUTHENTICATED,
    ClientOf,
    bearer,
    error_of,
    kinds_sent_to,
    refusal,
    sign_in,
    tables,
)
from accounts.tests.factories import PASSWORD, access_token_of, create_session
from core.tests.spine import Drain, Events
from notifications.tests.smtp import SmtpSink

PATH = "/api/v1/auth/change-email"
NEW = "olive@example.org"


def test_the_new_address_confirms_and_the_old_one_is_told(
    owner: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink, events: Events
) -> None:
    client = client_of(owner)

    asked = client.post(PATH, {"email": "Olive@Example.org"})
    drain()
    unchanged = User.objects.get().email
    confirmed = anonymous.post("/api/v1/auth/verify-email", {"token": smtp_sink.token_sent_to(NEW)})

    assert (asked.status_code, unchanged) == (202, owner.email)
    assert confirmed.json()["data"] == {"email": NEW, "email_verified": True}
    assert kinds_sent_to(NEW) == ["account.email_change"]
    assert kinds_sent_to(owner.email) == ["account.email_changed"]
    assert client.get("/api/v1/users/me").json()["data"]["email"] == NEW
    assert (sign_in(anonymous, owner.email).status_code, sign_in(anonymous, NEW).status_code) == (401, 200)
    assert events("user.email_changed")[0].payload == {"before": {"email": owner.email}, "after": {"email": NEW}}


def test_it_needs_a_recent_sign_in(owner: User) -> None:
    session = create_session(owner, authenticated_at=datetime.now(UTC) - timedelta(minutes=10, seconds=1))
    client = Client(headers=bearer(access_token_of(session)))
    before = tables()

    answer = client.post(PATH, {"email": NEW}, "application/json")

    assert error_of(answer) == refusal(403, "REAUTHENTICATION_REQUIRED", "Confirm that it is you: sign in again.")
    assert tables() == before


def test_a_taken_address_gets_the_same_answer_and_its_owner_is_told(
    owner: User, stranger: User, client_of: ClientOf
) -> None:
    client = client_of(owner)

    taken, free = client.post(PATH, {"email": stranger.email}), client.post(PATH, {"email": NEW})

    assert (taken.status_code, taken.content) == (free.status_code, free.content)
    assert kinds_sent_to(stranger.email) == ["account.email_taken"]


def test_an_address_that_was_taken_meanwhile_is_a_conflict(
    owner: User, stranger: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    client_of(owner).post(PATH, {"email": NEW})
    drain()
    User.objects.filter(pk=stranger.pk).update(email=NEW)
    before = tables()

    answer = anonymous.post("/api/v1/auth/verify-email", {"token": smtp_sink.token_sent_to(NEW)})

    assert error_of(answer) == refusal(409, "CONFLICT", "This address belongs to an account by now.")
    assert tables() == before


def test_links_to_the_old_address_die_with_the_change(
    owner: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    anonymous.post("/api/v1/auth/forgot-password", {"email": owner.email})
    client_of(owner).post(PATH, {"email": NEW})
    drain()
    way_back = smtp_sink.token_sent_to(owner.email)
    anonymous.post("/api/v1/auth/verify-email", {"token": smtp_sink.token_sent_to(NEW)})

    answer = anonymous.post("/api/v1/auth/reset-password", {"token": way_back, "password": "a-new-horse-and-battery"})

    assert error_of(answer) == INVALID_LINK


@pytest.mark.parametrize("how", ["changed", "reset"])
def test_a_new_password_voids_the_link_to_another_address(
    owner: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink, how: str
) -> None:
    """Who asked for the change may be the thief that the new password shuts out."""
    client_of(owner).post(PATH, {"email": NEW})
    anonymous.post("/api/v1/auth/forgot-password", {"email": owner.email})
    drain()
    if how == "changed":
        body = {"current_password": PASSWORD, "new_password": "a-new-horse-and-battery"}
        client_of(owner).post("/api/v1/auth/change-password", body)
    else:
        body = {"token": smtp_sink.token_sent_to(owner.email), "password": "a-new-horse-and-battery"}
        anonymous.post("/api/v1/auth/reset-password", body)

    answer = anonymous.post("/api/v1/auth/verify-email", {"token": smtp_sink.token_sent_to(NEW)})

    assert error_of(answer) == INVALID_LINK
    assert User.objects.get().email == owner.email


def test_an_address_changed_by_staff_voids_every_link(
    owner: User, admin: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    anonymous.post("/api/v1/auth/forgot-password", {"email": owner.email})
    client_of(owner).post(PATH, {"email": NEW})
    drain()
    client_of(admin).patch(f"/api/v1/users/{owner.pk}", {"email": "moved@example.com"})

    reset = anonymous.post(
        "/api/v1/auth/reset-password",
        {"token": smtp_sink.token_sent_to(owner.email), "password": "a-new-horse-and-battery"},
    )
    moved = anonymous.post("/api/v1/auth/verify-email", {"token": smtp_sink.token_sent_to(NEW)})

    assert (error_of(reset), error_of(moved)) == (INVALID_LINK, INVALID_LINK)
    assert User.objects.get(pk=owner.pk).email == "moved@example.com"


def test_it_is_for_those_who_are_signed_in(db: None, anonymous: Client) -> None:
    assert error_of(anonymous.post(PATH, {"email": NEW})) == NOT_AUTHENTICATED
