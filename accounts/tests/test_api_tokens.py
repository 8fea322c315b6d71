"""Personal access tokens: made, listed, revoked, ended with what they hang on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.identity import forget_session
from accounts.models import ApiToken, Session, User
from accounts.services.passwords import reset_password
from accounts.services.single_use_tokens import RESET_PASSWORD, issue_token
from accounts.services.users import change_user, delete_user
from accounts.tests.answers import (
    NOT_FOUND,
    ClientOf,
    bearer,
    error_of,
    invalid,
    kinds_sent_to,
    refusal,
    tables,
)
from accounts.tests.factories import PASSWORD, access_token_of, create_api_token_of, create_session
from accounts.tokens import digest
from core.crypto import is_well_formed_token
from core.permissions import SYSTEM
from core.queue import enqueue
from core.tests.spine import Drain, Events
from notifications.tests.smtp import SmtpSink

PATH = "/api/v1/auth/api-tokens"
ME = "/api/v1/users/me"
INVALID_TOKEN = refusal(401, "INVALID_TOKEN", "This token is not valid.")


def made(client: Client, *scopes: str, **more: Any) -> dict[str, Any]:
    answer = client.post(PATH, {"name": "Script", "scopes": list(scopes) or ["read:resource"], **more})
    assert answer.status_code == 201, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def status_of(token: str, path: str = ME) -> int:
    return Client().get(path, headers=bearer(token)).status_code


def test_a_token_is_shown_once_and_kept_as_a_digest(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    before = datetime.now(UTC)

    answer = client.post(PATH, {"name": "Nightly", "scopes": ["write:resource", "read:resource", "read:resource"]})

    data = answer.json()["data"]
    row = ApiToken.objects.get()
    secret = data.pop("token")
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert is_well_formed_token(secret, "nk")
    assert (row.token, row.prefix) == (digest(secret), secret[:9])
    assert secret not in str(ApiToken.objects.values().get())
    assert data == {
        "id": str(row.pk),
        "name": "Nightly",
        "prefix": secret[:9],
        "scopes": ["read:resource", "write:resource"],
        "last_used_at": None,
        "expires_at": data["expires_at"],
        "created_at": data["created_at"],
    }
    assert before + timedelta(days=365) <= row.expires_at <= datetime.now(UTC) + timedelta(days=365)
    assert client.get(PATH).json()["data"] == [data]
    assert status_of(secret) == 200


def test_its_owner_is_told_and_the_log_has_it_without_the_secret(
    owner: User, client_of: ClientOf, events: Events
) -> None:
    secret = made(client_of(owner), "read:resource")["token"]

    (event,) = events("api_token.*")
    assert (event.type, event.actor, event.audience) == ("api_token.created", owner.pk, [owner.pk])
    assert event.payload["after"]["scopes"] == ["read:resource"]
    assert secret not in str(event.payload)
    assert kinds_sent_to(owner.email) == ["account.api_token_created"]


def test_the_mail_says_what_the_token_may(owner: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink) -> None:
    made(client_of(owner), "read:resource", "write:resource")

    drain()

    (mail,) = smtp_sink.to(owner.email)
    plain = mail.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert 'named "Script"' in text
    assert "It may: read:resource, write:resource" in text


def test_making_one_needs_a_recent_sign_in(owner: User, events: Events) -> None:
    session = create_session(owner, authenticated_at=datetime.now(UTC) - timedelta(minutes=11))
    before = tables()

    answer = Client(headers=bearer(access_token_of(session))).post(
        PATH, {"name": "Script", "scopes": ["read:resource"]}, "application/json"
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "REAUTHENTICATION_REQUIRED")
    assert (tables(), ApiToken.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (
            {"scopes": ["read:everything", "read:resource", "read:user"]},
            [
                ("scopes.0", "unknown_scope", "There is no scope 'read:everything'."),
                ("scopes.2", "not_held", "You may not read:user yourself."),
            ],
        ),
        ({"scopes": ["admin"]}, [("scopes.0", "not_held", "You may not admin yourself.")]),
        ({"scopes": []}, [("scopes", "empty", "This list may not be empty.")]),
        ({"name": ""}, [("name", "blank", "This field may not be blank.")]),
        ({"name": "x" * 101}, [("name", "max_length", "Ensure this field has no more than 100 characters.")]),
        ({"expires_at": "2020-01-01T00:00:00Z"}, [("expires_at", "past", "Give a moment in the future.")]),
        ({"expires_at": "2999-01-01T00:00:00Z"}, [("expires_at", "too_late", "A token serves 365 days at most.")]),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(owner: User, client_of: ClientOf, body: dict[str, Any], details: Any) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.post(PATH, {"name": "Script", "scopes": ["read:resource"], **body})

    assert error_of(answer) == invalid(*details)
    assert (tables(), ApiToken.objects.count()) == (before, 0)


def test_one_has_no_more_than_the_setting_says(owner: User, client_of: ClientOf, settings: Settings) -> None:
    settings.API_TOKENS_PER_USER = 2
    create_api_token_of(owner)
    create_api_token_of(owner, expires_at=datetime.now(UTC) - timedelta(days=1))
    client = client_of(owner)
    first = made(client)

    answer = client.post(PATH, {"name": "Script", "scopes": ["read:resource"]})

    assert error_of(answer) == refusal(409, "CONFLICT", "You have 2 tokens; end one first.")
    client.delete(f"{PATH}/{first['id']}")
    made(client)


def test_a_revoked_token_stops_and_leaves_the_list(owner: User, client_of: ClientOf, events: Events) -> None:
    client = client_of(owner)
    token = made(client)
    assert status_of(token["token"]) == 200

    answer = client.delete(f"{PATH}/{token['id']}")

    assert answer.status_code == 204
    assert error_of(Client().get(ME, headers=bearer(token["token"]))) == INVALID_TOKEN
    assert client.get(PATH).json()["data"] == []
    assert [event.type for event in events("api_token.*")] == ["api_token.created", "api_token.revoked"]
    assert error_of(client.delete(f"{PATH}/{token['id']}")) == NOT_FOUND


def test_nobody_ends_a_stranger_s_token(owner: User, stranger: User, client_of: ClientOf) -> None:
    row, secret = create_api_token_of(owner)

    answer = client_of(stranger).delete(f"{PATH}/{row.pk}")

    assert error_of(answer) == NOT_FOUND
    assert status_of(secret) == 200


def test_an_expired_token_is_told_so(owner: User) -> None:
    _, secret = create_api_token_of(owner, expires_at=datetime.now(UTC) - timedelta(seconds=1))

    answer = Client().get(ME, headers=bearer(secret))

    assert error_of(answer) == refusal(401, "TOKEN_EXPIRED", "This token has expired.")


@pytest.mark.parametrize("change", [{"is_active": False}, {"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}])
def test_who_is_not_let_in_has_no_tokens_either(owner: User, change: dict[str, Any], settings: Settings) -> None:
    settings.AUTHENTICATION_SNAPSHOT_SECONDS = 0
    _, secret = create_api_token_of(owner)
    assert status_of(secret) == 200

    User.all_objects.filter(pk=owner.pk).update(**change)

    assert status_of(secret) == 401


def test_a_disabled_account_s_tokens_do_not_come_back_with_it(owner: User) -> None:
    _, secret = create_api_token_of(owner)

    change_user(actor=SYSTEM, user_id=owner.pk, changes={"is_active": False})
    change_user(actor=SYSTEM, user_id=owner.pk, changes={"is_active": True})

    assert status_of(secret) == 401
    assert ApiToken.objects.get().revoke_reason == "user_disabled"


def test_a_deleted_account_s_tokens_end(owner: User) -> None:
    create_api_token_of(owner)

    delete_user(actor=SYSTEM, user_id=owner.pk)

    assert ApiToken.objects.get().revoke_reason == "user_deleted"


def test_a_changed_password_keeps_the_tokens_and_a_reset_one_ends_them(owner: User, client_of: ClientOf) -> None:
    _, secret = create_api_token_of(owner)
    changed = {"current_password": PASSWORD, "new_password": "another-horse-and-battery"}

    assert client_of(owner).post("/api/v1/auth/change-password", changed).status_code == 200
    assert status_of(secret) == 200

    reset_password(token=issue_token(user=owner, purpose=RESET_PASSWORD), password="a-third-horse-and-battery")
    assert status_of(secret) == 401
    assert ApiToken.objects.get().revoke_reason == "password_reset"


def test_a_token_made_in_a_session_of_two_factors_says_so(owner: User) -> None:
    session = create_session(owner)
    Session.objects.filter(pk=session.pk).update(amr=["pwd", "otp", "mfa"])
    forget_session(session.pk)
    client = Client(headers=bearer(access_token_of(session)))

    client.post(PATH, {"name": "Script", "scopes": ["read:resource"]}, "application/json")

    assert ApiToken.objects.get().has_mfa


def test_the_oldest_ended_ones_go(owner: User, drain: Drain) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=91)
    kept = [create_api_token_of(owner)[0], create_api_token_of(owner, revoked_at=datetime.now(UTC))[0]]
    create_api_token_of(owner, expires_at=long_ago)
    create_api_token_of(owner, revoked_at=long_ago)

    enqueue("accounts.tasks.purge")
    drain()

    assert {row.pk for row in ApiToken.objects.all()} == {row.pk for row in kept}
