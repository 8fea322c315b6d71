"""POST /auth/forgot-password, /auth/reset-password, /auth/change-password."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Session, SingleUseToken, User
from accounts.services.single_use_tokens import purge_single_use_tokens
from accounts.tests.answers import (
    INVALID_CREDENTIALS,
    INVALID_LINK,
    NOT_AUTHENTICATED,
    SESSION_REVOKED,
    ClientOf,
    error_of,
    invalid,
    kinds_sent_to,
    sign_in,
    tables,
)
from accounts.tests.factories import PASSWORD, create_session, create_user
from core.tests.spine import Drain, Events
from notifications.tests.smtp import SmtpSink

FORGOT = "/api/v1/auth/forgot-password"
RESET = "/api/v1/auth/reset-password"
CHANGE = "/api/v1/auth/change-password"
NEW_PASSWORD = "a-new-horse-and-battery"


@pytest.fixture
def mailed_token(owner: User, anonymous: Client, drain: Drain, smtp_sink: SmtpSink) -> str:
    """The secret that the owner was mailed on asking."""
    anonymous.post(FORGOT, {"email": owner.email})
    drain()
    return smtp_sink.token_sent_to(owner.email)


def reset(client: Client, token: str, password: str = NEW_PASSWORD) -> Any:
    return client.post(RESET, {"token": token, "password": password})


def test_asking_answers_the_same_for_everyone(owner: User, anonymous: Client, drain: Drain) -> None:
    disabled = create_user(is_active=False)

    answers = [
        anonymous.post(FORGOT, {"email": email}) for email in (owner.email, disabled.email, "nobody@example.com")
    ]
    drain()

    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.content for answer in answers}) == 1
    assert kinds_sent_to(owner.email) == ["account.password_reset"]
    assert kinds_sent_to(disabled.email) == []
    assert kinds_sent_to("nobody@example.com") == []


def test_the_mailed_link_sets_the_password_and_ends_every_session(
    mailed_token: str, owner: User, anonymous: Client, client_of: ClientOf, events: Events
) -> None:
    client = client_of(owner)

    answer = reset(anonymous, mailed_token)

    assert (answer.status_code, answer.json()["data"]) == (200, None)
    assert error_of(client.get("/api/v1/users/me")) == SESSION_REVOKED
    assert sign_in(anonymous, owner.email).status_code == 401
    assert sign_in(anonymous, owner.email, NEW_PASSWORD).status_code == 200
    assert kinds_sent_to(owner.email) == ["account.password_reset", "account.password_changed"]
    assert events("user.password_changed")[0].payload == {"how": "reset"}


def test_the_link_serves_once(mailed_token: str, owner: User, anonymous: Client) -> None:
    reset(anonymous, mailed_token)
    before = tables()

    answer = reset(anonymous, mailed_token, "yet-another-horse")

    assert error_of(answer) == INVALID_LINK
    assert tables() == before


def test_the_link_serves_for_an_hour(mailed_token: str, anonymous: Client) -> None:
    lifetime = SingleUseToken.objects.get().expires_at - datetime.now(UTC)
    SingleUseToken.objects.update(expires_at=datetime.now(UTC))
    before = tables()

    answer = reset(anonymous, mailed_token)

    assert timedelta(minutes=59) < lifetime <= timedelta(hours=1)
    assert error_of(answer) == INVALID_LINK
    assert tables() == before


def test_a_newer_request_voids_the_older_link(
    mailed_token: str, owner: User, anonymous: Client, drain: Drain, smtp_sink: SmtpSink
) -> None:
    anonymous.post(FORGOT, {"email": owner.email})
    drain()

    older, newer = reset(anonymous, mailed_token), reset(anonymous, smtp_sink.token_sent_to(owner.email))

    assert error_of(older) == INVALID_LINK
    assert newer.status_code == 200


def test_a_weak_password_is_refused_and_leaves_the_link(mailed_token: str, anonymous: Client) -> None:
    before = tables()

    refused = reset(anonymous, mailed_token, "password123")
    unchanged = tables() == before
    accepted = reset(anonymous, mailed_token)

    assert error_of(refused) == invalid(("password", "password_too_common", "This password is too common."))
    assert unchanged
    assert accepted.status_code == 200


def test_the_link_confirms_the_address_it_came_to(
    db: None, anonymous: Client, drain: Drain, smtp_sink: SmtpSink
) -> None:
    user = create_user(email_verified=False)
    anonymous.post(FORGOT, {"email": user.email})
    drain()

    reset(anonymous, smtp_sink.token_sent_to(user.email))

    assert sign_in(anonymous, user.email, NEW_PASSWORD).status_code == 200


def test_the_link_dies_with_the_account(mailed_token: str, owner: User, anonymous: Client) -> None:
    User.all_objects.update(deleted_at=datetime.now(UTC))

    assert error_of(reset(anonymous, mailed_token)) == INVALID_LINK


def test_a_changed_password_voids_the_link(
    mailed_token: str, owner: User, anonymous: Client, client_of: ClientOf
) -> None:
    client_of(owner).post(CHANGE, {"current_password": PASSWORD, "new_password": NEW_PASSWORD})

    assert error_of(reset(anonymous, mailed_token)) == INVALID_LINK


def test_ended_links_are_purged_after_a_day(mailed_token: str) -> None:
    kept = purge_single_use_tokens()
    SingleUseToken.objects.update(expires_at=datetime.now(UTC) - timedelta(days=1, minutes=1))

    assert (kept, purge_single_use_tokens()) == (0, 1)


def test_changing_keeps_this_session_and_ends_the_others(
    owner: User, anonymous: Client, client_of: ClientOf, events: Events
) -> None:
    here, elsewhere = client_of(owner), client_of(owner)

    answer = here.post(CHANGE, {"current_password": PASSWORD, "new_password": NEW_PASSWORD})

    assert answer.status_code == 200
    assert here.get("/api/v1/users/me").status_code == 200
    assert error_of(elsewhere.get("/api/v1/users/me")) == SESSION_REVOKED
    assert sign_in(anonymous, owner.email, NEW_PASSWORD).status_code == 200
    assert kinds_sent_to(owner.email) == ["account.password_changed"]
    assert [(event.actor, event.payload) for event in events("user.*")] == [(owner.pk, {"how": "change"})]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"current_password": "wrong-horse-battery", "new_password": NEW_PASSWORD}, INVALID_CREDENTIALS),
        (
            {"current_password": PASSWORD, "new_password": "olive-owner"},
            invalid(("new_password", "password_too_similar", "The password is too similar to the name.")),
        ),
        (
            {"current_password": PASSWORD},
            invalid(("new_password", "required", "This field is required.")),
        ),
    ],
    ids=["wrong", "weak", "missing"],
)
def test_a_refused_change_changes_nothing(
    owner: User, client_of: ClientOf, body: dict[str, str], error: dict[str, Any]
) -> None:
    client = client_of(owner)
    create_session(owner)
    before = tables()

    answer = client.post(CHANGE, body)

    assert error_of(answer) == error
    assert tables() == before
    assert Session.objects.live().count() == 2


def test_changing_is_for_those_who_are_signed_in(db: None, anonymous: Client) -> None:
    answer = anonymous.post(CHANGE, {"current_password": PASSWORD, "new_password": NEW_PASSWORD})

    assert error_of(answer) == NOT_AUTHENTICATED
