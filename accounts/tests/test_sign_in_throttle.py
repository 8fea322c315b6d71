"""Failed sign-ins: five are free within a quarter of an hour, then each further try waits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from accounts.models import SignInThrottle, User
from accounts.services.throttle import purge_throttles
from accounts.tests.answers import INVALID_CREDENTIALS, bearer, error_of, tokens_of
from accounts.tests.factories import PASSWORD

WRONG = "wrong-horse-battery"


def attempt(email: str, password: str = WRONG, *, device: str = "") -> Any:
    """Try to sign in from an address that nobody has used before."""
    attempt.number += 1  # type: ignore[attr-defined]  # a count of calls
    address = f"10.20.{attempt.number // 250}.{attempt.number % 250 + 1}"  # type: ignore[attr-defined]  # as above
    client = Client(REMOTE_ADDR=address)
    if device:
        client.cookies["nook_device"] = device
    return client.post("/api/v1/auth/login", {"email": email, "password": password}, "application/json")


attempt.number = 0  # type: ignore[attr-defined]  # as above


def pass_time(minutes: float) -> None:
    """Make everything that the throttle remembers this much older."""
    passed = timedelta(minutes=minutes)
    SignInThrottle.objects.update(failed_at=F("failed_at") - passed, blocked_until=F("blocked_until") - passed)


def waits(response: Any) -> int:
    assert (response.status_code, response.json()["error"]["code"]) == (429, "RATE_LIMITED")
    return int(response.headers["Retry-After"])


@pytest.mark.parametrize("email", ["owner@example.com", "nobody@example.com"])
def test_the_sixth_try_waits_whether_or_not_there_is_an_account(owner: User, email: str) -> None:
    answers = [attempt(email) for _ in range(5)]

    assert [error_of(answer) for answer in answers] == [INVALID_CREDENTIALS] * 5
    assert 28 <= waits(attempt(email)) <= 30


def test_while_waiting_the_right_password_is_not_looked_at(owner: User) -> None:
    for _ in range(5):
        attempt(owner.email)

    assert waits(attempt(owner.email, PASSWORD)) <= 30


def test_after_the_wait_one_try_is_free_and_the_next_wait_is_twice_as_long(owner: User) -> None:
    for _ in range(5):
        attempt(owner.email)
    found: list[int] = []
    for _ in range(8):
        pass_time(found[-1] / 60 if found else 0.5)
        assert error_of(attempt(owner.email)) == INVALID_CREDENTIALS
        found.append(waits(attempt(owner.email)))

    assert [round(seconds / 60) for seconds in found] == [1, 2, 4, 8, 15, 15, 15, 15]


def test_the_right_password_after_the_wait_opens_and_begins_anew(owner: User) -> None:
    for _ in range(5):
        attempt(owner.email)
    pass_time(0.5)

    opened = attempt(owner.email, PASSWORD)

    assert opened.status_code == 200
    assert [attempt(owner.email).status_code for _ in range(5)] == [401] * 5


def test_failures_are_forgotten_after_a_quarter_of_an_hour(owner: User) -> None:
    for _ in range(4):
        attempt(owner.email)
    pass_time(15.1)

    assert [attempt(owner.email).status_code for _ in range(6)] == [401] * 5 + [429]


def test_a_stranger_does_not_lock_out_a_known_device(owner: User, anonymous: Client) -> None:
    tokens_of(anonymous, owner)
    device = anonymous.cookies["nook_device"].value
    for _ in range(6):
        attempt(owner.email)

    assert attempt(owner.email, PASSWORD).status_code == 429
    assert attempt(owner.email, PASSWORD, device=device).status_code == 200


def test_a_known_device_has_five_failures_of_its_own(owner: User, anonymous: Client) -> None:
    tokens_of(anonymous, owner)
    device = anonymous.cookies["nook_device"].value

    answers = [attempt(owner.email, device=device).status_code for _ in range(6)]

    assert answers == [401] * 5 + [429]
    assert attempt(owner.email, PASSWORD).status_code == 200


def test_a_device_is_known_for_its_own_user_only(owner: User, stranger: User, anonymous: Client) -> None:
    tokens_of(anonymous, stranger)
    device = anonymous.cookies["nook_device"].value
    for _ in range(5):
        attempt(owner.email)

    assert attempt(owner.email, PASSWORD, device=device).status_code == 429


def test_a_key_that_makes_requests_repeatable_buys_no_further_tries(owner: User) -> None:
    """Failures have to count though the request's transaction holds the key."""
    for number in range(5):
        Client(REMOTE_ADDR=f"10.30.0.{number}").post(
            "/api/v1/auth/login",
            {"email": owner.email, "password": WRONG},
            "application/json",
            headers={"Idempotency-Key": f"try-{number}"},
        )

    assert attempt(owner.email, PASSWORD).status_code == 429


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/auth/reauthenticate", {"password": WRONG}),
        ("/api/v1/auth/change-password", {"current_password": WRONG, "new_password": "a-new-horse-and-battery"}),
    ],
)
def test_a_stolen_session_does_not_guess_the_password_faster(
    owner: User, anonymous: Client, path: str, body: dict[str, str]
) -> None:
    headers = bearer(tokens_of(anonymous, owner)["access_token"])

    statuses = [anonymous.post(path, body, headers=headers).status_code for _ in range(6)]

    assert statuses == [401] * 5 + [429]


def test_a_stranger_does_not_keep_the_owner_from_confirming_or_changing_the_password(
    owner: User, anonymous: Client
) -> None:
    headers = bearer(tokens_of(anonymous, owner)["access_token"])
    for _ in range(6):
        attempt(owner.email)

    confirmed = anonymous.post("/api/v1/auth/reauthenticate", {"password": PASSWORD}, headers=headers)
    change = {"current_password": PASSWORD, "new_password": "a-new-horse-and-battery"}
    changed = anonymous.post("/api/v1/auth/change-password", change, headers=headers)

    assert (confirmed.status_code, changed.status_code) == (200, 200)


def test_old_counts_are_purged(owner: User) -> None:
    attempt(owner.email)
    kept = purge_throttles()
    SignInThrottle.objects.update(failed_at=datetime.now(UTC) - timedelta(minutes=31))

    assert (kept, purge_throttles()) == (0, 1)
