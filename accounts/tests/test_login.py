"""POST /auth/login."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client

from accounts.hashing import forget_census
from accounts.models import KnownDevice, Session, User
from accounts.tests.answers import INVALID_CREDENTIALS, error_of, invalid, refusal, sign_in, tables
from accounts.tests.factories import PASSWORD, create_user
from accounts.tokens import digest
from core.tests.spine import Events

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def test_it_answers_tokens_and_the_user(owner: User, anonymous: Client, events: Events) -> None:
    answer = sign_in(anonymous, "OWNER@example.com")

    data = answer.json()["data"]
    claims = jwt.decode(data["access_token"], options={"verify_signature": False})
    session = Session.objects.get()
    assert answer.status_code == 200
    assert data.keys() == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert (data["token_type"], data["expires_in"]) == ("Bearer", 900)
    assert data["user"]["id"] == str(owner.pk)
    assert data["user"]["last_login_at"] is not None
    assert "password" not in answer.content.decode()
    assert (claims["sub"], claims["sid"], claims["amr"]) == (str(owner.pk), str(session.pk), ["pwd"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert [(event.type, event.actor) for event in events("session.*")] == [("session.created", owner.pk)]


def test_the_session_remembers_where_it_was_opened(owner: User) -> None:
    client = Client(headers={"User-Agent": FIREFOX}, REMOTE_ADDR="203.0.113.7")

    client.post("/api/v1/auth/login", {"email": owner.email, "password": PASSWORD}, "application/json")

    session = Session.objects.get()
    assert (session.ip, session.device, session.user_agent) == ("203.0.113.7", "Firefox on Linux", FIREFOX)


def test_the_session_holds_the_digest_of_its_refresh_token(owner: User, anonymous: Client) -> None:
    token = sign_in(anonymous, owner.email).json()["data"]["refresh_token"]

    assert Session.objects.get().token == digest(token)


def test_cookie_transport_keeps_the_refresh_token_out_of_the_body(owner: User, anonymous: Client) -> None:
    answer = sign_in(anonymous, owner.email, token_transport="cookie")

    cookie = answer.cookies["nook_refresh"]
    assert answer.json()["data"].keys() == {"access_token", "token_type", "expires_in", "user"}
    assert Session.objects.get().token == digest(cookie.value)
    assert {name: cookie[name] for name in ("httponly", "secure", "samesite", "path")} == {
        "httponly": True,
        "secure": True,
        "samesite": "Strict",
        "path": "/api/v1/auth",
    }


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("owner@example.com", "wrong-horse-battery"),
        ("owner@example.com", PASSWORD + " "),
        ("owner@example.com", PASSWORD.upper()),
        ("nobody@example.com", PASSWORD),
    ],
    ids=["wrong", "space-behind", "upper-case", "unknown"],
)
def test_a_wrong_pair_is_refused_with_one_message(owner: User, anonymous: Client, email: str, password: str) -> None:
    before = tables()

    answer = sign_in(anonymous, email, password)

    assert error_of(answer) == INVALID_CREDENTIALS
    assert answer.cookies == {}
    assert tables() == before


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"email_verified": False}, "EMAIL_NOT_VERIFIED", "Confirm your e-mail address first."),
        ({"is_active": False}, "ACCOUNT_DISABLED", "This account has been disabled."),
        ({"is_active": False, "email_verified": False}, "ACCOUNT_DISABLED", "This account has been disabled."),
    ],
    ids=["unconfirmed", "disabled", "both"],
)
def test_the_state_of_an_account_is_told_only_after_the_right_password(
    db: None, anonymous: Client, fields: dict[str, Any], code: str, message: str
) -> None:
    user = create_user(**fields)
    before = tables()

    wrong, right = sign_in(anonymous, user.email, "wrong-horse-battery"), sign_in(anonymous, user.email)

    assert error_of(wrong) == INVALID_CREDENTIALS
    assert error_of(right) == refusal(403, code, message)
    assert tables() == before


def test_a_deleted_account_is_an_unknown_one(owner: User, anonymous: Client) -> None:
    User.all_objects.filter(pk=owner.pk).update(deleted_at=datetime.now(UTC))

    assert error_of(sign_in(anonymous, owner.email)) == INVALID_CREDENTIALS


def test_an_account_without_a_password_cannot_be_entered(db: None, anonymous: Client) -> None:
    user = create_user(password="!unusable")

    assert error_of(sign_in(anonymous, user.email, "!unusable")) == INVALID_CREDENTIALS


@pytest.fixture
def _fresh_census() -> Iterator[None]:
    """Let a test bring other algorithms; afterwards nobody does their work any more."""
    forget_census()
    yield
    forget_census()


@pytest.mark.parametrize("algorithm", ["pbkdf2_sha256", "argon2"])
@pytest.mark.usefixtures("_fresh_census")
def test_an_older_hash_still_serves_and_is_replaced(db: None, anonymous: Client, algorithm: str) -> None:
    user = create_user(password=make_password(PASSWORD, hasher=algorithm))

    wrong, right = sign_in(anonymous, user.email, "wrong-horse-battery"), sign_in(anonymous, user.email)

    user.refresh_from_db()
    assert (wrong.status_code, right.status_code) == (401, 200)
    assert user.password.startswith("bcrypt_sha256$")
    assert sign_in(anonymous, user.email).status_code == 200


def test_a_device_is_known_again_by_its_cookie(owner: User, anonymous: Client) -> None:
    first = sign_in(anonymous, owner.email).cookies["nook_device"].value

    second = sign_in(anonymous, owner.email).cookies["nook_device"].value

    assert first == second
    assert [device.token for device in KnownDevice.objects.all()] == [digest(first)]


def test_verification_can_be_left_out_by_a_setting(db: None, anonymous: Client, settings: object) -> None:
    settings.EMAIL_VERIFICATION_REQUIRED = False  # type: ignore[attr-defined]  # pytest-django's settings
    user = create_user(email_verified=False)

    assert sign_in(anonymous, user.email).status_code == 200


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (
            {},
            [("email", "required", "This field is required."), ("password", "required", "This field is required.")],
        ),
        (
            {"email": "owner@example.com", "password": PASSWORD, "token_transport": "query"},
            [("token_transport", "invalid_choice", '"query" is not a valid choice.')],
        ),
        (
            {"email": "owner@example.com", "password": PASSWORD, "admin": True},
            [("admin", "unknown_field", "There is no such field.")],
        ),
    ],
    ids=["empty", "transport", "unknown"],
)
def test_it_refuses_another_body(
    owner: User, anonymous: Client, body: dict[str, object], details: list[tuple[str, str, str]]
) -> None:
    answer = anonymous.post("/api/v1/auth/login", body)

    assert error_of(answer) == invalid(*details)
    assert Session.objects.count() == 0


def test_a_stale_token_in_the_header_does_not_keep_anyone_out(owner: User, anonymous: Client) -> None:
    answer = anonymous.post(
        "/api/v1/auth/login",
        {"email": owner.email, "password": PASSWORD},
        headers={"Authorization": "Bearer of-old-news"},
    )

    assert answer.status_code == 200
