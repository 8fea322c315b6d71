"""POST /auth/refresh-token."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import Session, SpentRefreshToken, User
from accounts.services.refreshing import purge_spent_tokens
from accounts.tests.answers import SESSION_REVOKED, bearer, error_of, kinds_sent_to, refusal, sign_in, tables, tokens_of
from accounts.tokens import digest
from core.tests.spine import Events

PATH = "/api/v1/auth/refresh-token"
INVALID_TOKEN = refusal(401, "INVALID_TOKEN", "This token is not valid.")
TOKEN_REUSED = refusal(401, "TOKEN_REUSED", "This refresh token was used before; the session has been ended.")


@pytest.fixture
def first_token(owner: User, anonymous: Client) -> str:
    """The refresh token that the owner's sign-in answered."""
    return str(tokens_of(anonymous, owner)["refresh_token"])


def refresh(client: Client, token: str) -> Any:
    return client.post(PATH, {"refresh_token": token})


def next_token(client: Client, token: str) -> str:
    """Refresh and return the new refresh token."""
    return str(refresh(client, token).json()["data"]["refresh_token"])


def leave_grace() -> None:
    """Make every spent token one that was spent longer ago than the grace period."""
    past = timedelta(seconds=settings.REFRESH_GRACE_SECONDS + 1)
    SpentRefreshToken.objects.update(spent_at=datetime.now(UTC) - past)


def test_it_answers_a_new_pair_of_the_same_session(
    first_token: str, owner: User, anonymous: Client, events: Events
) -> None:
    answer = refresh(anonymous, first_token)

    data = answer.json()["data"]
    session = Session.objects.get()
    assert answer.status_code == 200
    assert data.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert session.token == digest(data["refresh_token"])
    assert anonymous.get("/api/v1/users/me", headers=bearer(data["access_token"])).status_code == 200
    assert [event.type for event in events("session.*")] == ["session.created", "session.refreshed"]


def test_the_session_goes_on_for_another_thirty_days(first_token: str, anonymous: Client) -> None:
    Session.objects.update(expires_at=datetime.now(UTC) + timedelta(minutes=1))

    refresh(anonymous, first_token)

    assert Session.objects.get().expires_at > datetime.now(UTC) + timedelta(days=29)


def test_a_twin_within_seconds_gets_a_working_pair_of_the_same_session(first_token: str, anonymous: Client) -> None:
    winner = refresh(anonymous, first_token).json()["data"]
    twin = refresh(anonymous, first_token).json()["data"]

    assert twin["refresh_token"] == winner["refresh_token"]
    assert anonymous.get("/api/v1/users/me", headers=bearer(twin["access_token"])).status_code == 200
    assert refresh(anonymous, twin["refresh_token"]).status_code == 200
    assert Session.objects.count() == 1


def test_a_late_twin_is_led_to_the_live_end_of_the_line(first_token: str, anonymous: Client) -> None:
    third_token = next_token(anonymous, next_token(anonymous, first_token))

    twin = next_token(anonymous, first_token)

    assert twin == third_token
    assert Session.objects.get().token == digest(twin)


def test_a_second_use_after_the_grace_period_is_theft(
    first_token: str, owner: User, anonymous: Client, events: Events
) -> None:
    live = refresh(anonymous, first_token).json()["data"]
    leave_grace()

    answer = refresh(anonymous, first_token)

    session = Session.objects.get()
    assert error_of(answer) == TOKEN_REUSED
    assert (session.revoked_at is not None, session.revoke_reason) == (True, "token_reuse")
    assert error_of(refresh(anonymous, live["refresh_token"])) == SESSION_REVOKED
    assert error_of(anonymous.get("/api/v1/users/me", headers=bearer(live["access_token"]))) == SESSION_REVOKED
    assert kinds_sent_to(owner.email) == ["account.token_reuse"]
    assert [event.type for event in events("session.*")][-2:] == ["session.token_reused", "session.revoked"]


def test_an_idempotency_key_does_not_shield_a_thief(first_token: str, owner: User, anonymous: Client) -> None:
    refresh(anonymous, first_token)
    leave_grace()

    answer = anonymous.post(PATH, {"refresh_token": first_token}, headers={"idempotency-key": "thief-1"})

    assert error_of(answer) == TOKEN_REUSED
    assert Session.objects.get().revoke_reason == "token_reuse"
    assert kinds_sent_to(owner.email) == ["account.token_reuse"]


def test_a_lost_answer_comes_again_under_its_key(first_token: str, anonymous: Client) -> None:
    body, key = {"refresh_token": first_token}, {"idempotency-key": "refresh-1"}
    lost = anonymous.post(PATH, body, headers=key)
    leave_grace()

    answer = anonymous.post(PATH, body, headers=key)

    assert answer.json() == lost.json()
    assert Session.objects.get().revoked_at is None


def test_any_token_of_the_family_gives_the_thief_away(first_token: str, anonymous: Client) -> None:
    live = next_token(anonymous, next_token(anonymous, first_token))
    leave_grace()

    refresh(anonymous, first_token)

    assert error_of(refresh(anonymous, live)) == SESSION_REVOKED


def test_the_owner_is_told_once(first_token: str, owner: User, anonymous: Client) -> None:
    refresh(anonymous, first_token)
    leave_grace()

    first, second = refresh(anonymous, first_token), refresh(anonymous, first_token)

    assert error_of(first) == TOKEN_REUSED
    assert error_of(second) == SESSION_REVOKED
    assert kinds_sent_to(owner.email) == ["account.token_reuse"]


def test_other_sessions_of_the_owner_go_on(first_token: str, owner: User, anonymous: Client) -> None:
    other = str(tokens_of(anonymous, owner)["refresh_token"])
    refresh(anonymous, first_token)
    leave_grace()

    refresh(anonymous, first_token)

    assert refresh(anonymous, other).status_code == 200


def test_the_successor_cannot_be_had_without_the_salt_of_its_row(first_token: str, anonymous: Client) -> None:
    following = next_token(anonymous, first_token)
    SpentRefreshToken.objects.update(salt="0" * 32)

    answer = refresh(anonymous, first_token)

    assert error_of(answer) == SESSION_REVOKED
    assert Session.objects.get().token == digest(following)


def test_the_successor_is_no_function_of_the_token_alone(first_token: str, owner: User, anonymous: Client) -> None:
    session = Session.objects.get()
    following = next_token(anonymous, first_token)
    SpentRefreshToken.objects.all().delete()
    Session.objects.filter(pk=session.pk).update(token=session.token)

    assert next_token(anonymous, first_token) != following


@pytest.mark.parametrize("token", ["", "x", "nkr_" + "0" * 49, "nkm_" + "0" * 49, "é", "\x00"], ids=repr)
def test_garbage_is_refused(first_token: str, anonymous: Client, token: str) -> None:
    before = tables()

    answer = refresh(anonymous, token)

    assert answer.status_code in {400, 401}
    assert tables() == before


def test_an_access_token_does_not_refresh(owner: User, anonymous: Client) -> None:
    access_token = tokens_of(anonymous, owner)["access_token"]

    answer = anonymous.post(PATH, {"refresh_token": access_token[:200]})

    assert error_of(answer) == INVALID_TOKEN


def test_a_refresh_token_opens_nothing(first_token: str, anonymous: Client) -> None:
    answer = anonymous.get("/api/v1/users/me", headers=bearer(first_token))

    assert error_of(answer) == INVALID_TOKEN


def test_an_expired_session_is_told_so(first_token: str, anonymous: Client) -> None:
    Session.objects.update(expires_at=datetime.now(UTC))

    answer = refresh(anonymous, first_token)

    assert error_of(answer) == refusal(401, "TOKEN_EXPIRED", "This token has expired.")


@pytest.mark.parametrize("change", [{"is_active": False}, {"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}], ids=str)
def test_a_disabled_or_deleted_user_gets_nothing(
    first_token: str, anonymous: Client, change: dict[str, object]
) -> None:
    User.all_objects.update(**change)
    before = tables()

    answer = refresh(anonymous, first_token)

    assert error_of(answer) == SESSION_REVOKED
    assert tables() == before


def test_an_expired_access_token_beside_it_does_no_harm(first_token: str, anonymous: Client) -> None:
    answer = anonymous.post(PATH, {"refresh_token": first_token}, headers={"Authorization": "Bearer old"})

    assert answer.status_code == 200


def test_spent_tokens_are_forgotten_when_no_refresh_token_lives_that_long(first_token: str, anonymous: Client) -> None:
    next_token(anonymous, first_token)
    kept = purge_spent_tokens()
    SpentRefreshToken.objects.update(spent_at=datetime.now(UTC) - timedelta(days=31))

    assert (kept, purge_spent_tokens()) == (0, 1)


# As a cookie -----------------------------------------------------------------------------------

FROM_OUR_PAGE = {"X-Requested-With": "fetch", "Origin": "https://nook.example", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def browser(owner: User, anonymous: Client) -> Client:
    """A client whose jar holds the refresh cookie."""
    sign_in(anonymous, owner.email, token_transport="cookie")
    return anonymous


def test_the_cookie_is_replaced(browser: Client) -> None:
    before = browser.cookies["nook_refresh"].value

    answer = browser.post(PATH, {}, headers=FROM_OUR_PAGE)

    assert answer.json()["data"].keys() == {"access_token", "token_type", "expires_in"}
    assert answer.cookies["nook_refresh"].value != before
    assert Session.objects.get().token == digest(answer.cookies["nook_refresh"].value)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "A request with the refresh cookie needs the header X-Requested-With."),
        (
            {"X-Requested-With": "fetch", "Origin": "https://evil.example"},
            "The refresh cookie is not for pages of other sites.",
        ),
        (
            {"X-Requested-With": "fetch", "Origin": "null"},
            "The refresh cookie is not for pages of other sites.",
        ),
        (
            {"X-Requested-With": "fetch", "Sec-Fetch-Site": "cross-site"},
            "The refresh cookie is not for pages of other sites.",
        ),
        (
            {"X-Requested-With": "fetch", "Sec-Fetch-Site": "same-site"},
            "The refresh cookie is not for pages of other sites.",
        ),
    ],
    ids=["no-header", "foreign", "null", "cross-site", "same-site"],
)
def test_a_page_of_another_site_cannot_use_the_cookie(browser: Client, headers: dict[str, str], message: str) -> None:
    before = tables()

    answer = browser.post(PATH, {}, headers=headers)

    assert error_of(answer) == refusal(403, "PERMISSION_DENIED", message, (None, "csrf", message))
    assert tables() == before


def test_without_token_and_cookie_it_says_what_is_missing(db: None, anonymous: Client) -> None:
    answer = anonymous.post(PATH, {}, headers=FROM_OUR_PAGE)

    assert error_of(answer) == refusal(
        400,
        "VALIDATION_ERROR",
        "Invalid input data.",
        ("refresh_token", "required", "Give the refresh token, in the body or as the cookie."),
    )


def test_signing_out_takes_the_cookie_back(browser: Client) -> None:
    access_token = browser.post(PATH, {}, headers=FROM_OUR_PAGE).json()["data"]["access_token"]

    answer = browser.post("/api/v1/auth/logout", headers=bearer(access_token))

    assert (answer.status_code, answer.cookies["nook_refresh"]["max-age"]) == (204, 0)
