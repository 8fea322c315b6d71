"""Neither words nor time tell a stranger whether somebody has an account, or in what state it is."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.hashing import forget_census
from accounts.models import SignInThrottle, User
from accounts.tests.answers import INVALID_CREDENTIALS, error_of
from accounts.tests.factories import PASSWORD, create_user

ROUNDS = 4
MOST_ROUNDS = 16


@pytest.fixture
def _measurable_hashes(db: None, settings: Settings) -> Iterator[None]:
    settings.PASSWORD_HASHERS = [
        "accounts.tests.hashers.ModerateBCryptSHA256PasswordHasher",
        "accounts.tests.hashers.ModerateArgon2PasswordHasher",
        "accounts.tests.hashers.ModeratePBKDF2PasswordHasher",
    ]
    forget_census()
    yield
    forget_census()


def accounts_in_every_state() -> dict[str, str]:
    """Return an address for each state that an account can be in, the absent one included."""
    deleted = create_user()
    User.objects.filter(pk=deleted.pk).update(deleted_at=datetime.now(UTC))
    return {
        "unknown": "nobody@example.com",
        "ready": create_user().email,
        "unconfirmed": create_user(email_verified=False).email,
        "disabled": create_user(is_active=False).email,
        "deleted": deleted.email,
        "invited": create_user(password="!no-password-yet").email,
        "argon2": create_user(password=make_password(PASSWORD, hasher="argon2")).email,
        "pbkdf2": create_user(password=make_password(PASSWORD, hasher="pbkdf2_sha256")).email,
    }


def work_of_a_wrong_sign_in(email: str, address: str) -> float:
    """Return the processor time of one try; the clock on the wall would measure this machine's other work, too."""
    client = Client(REMOTE_ADDR=address)
    begun = time.process_time()
    answer = client.post("/api/v1/auth/login", {"email": email, "password": "wrong-horse-battery"}, "application/json")
    spent = time.process_time() - begun
    assert error_of(answer) == INVALID_CREDENTIALS
    return spent


@pytest.mark.usefixtures("_measurable_hashes")
def test_a_wrong_sign_in_costs_the_same_work_for_every_account() -> None:
    emails = accounts_in_every_state()
    work_of_a_wrong_sign_in("warm@example.com", "10.50.0.1")

    # In turns, because this machine's other work slows a processor too; the least of some tries is the account's own.
    # More tries only ever bring it nearer, so a busy machine gets more of them, and a real difference stays.
    work = dict.fromkeys(emails, float("inf"))
    for each in range(MOST_ROUNDS):
        for number, (state, email) in enumerate(emails.items(), 1):
            work[state] = min(work[state], work_of_a_wrong_sign_in(email, f"10.51.{each}.{number}"))
        if each >= ROUNDS and max(work.values()) / min(work.values()) < 1.3:
            break

    assert max(work.values()) / min(work.values()) < 1.3, work
    assert SignInThrottle.objects.count() == len(emails) + 1


@pytest.mark.usefixtures("_measurable_hashes")
def test_registering_costs_the_same_work_for_a_taken_address(owner: User) -> None:
    def work(email: str, address: str) -> float:
        client = Client(REMOTE_ADDR=address)
        begun = time.process_time()
        body = {"email": email, "password": "correct-horse-battery", "name": "Nina"}
        assert client.post("/api/v1/auth/register", body, "application/json").status_code == 201
        return time.process_time() - begun

    work("warm@example.com", "10.52.0.1")
    taken = free = float("inf")
    for each in range(1, MOST_ROUNDS + 1):
        taken = min(taken, work(owner.email, f"10.53.0.{each}"))
        free = min(free, work(f"new-{each}@example.com", f"10.54.0.{each}"))
        if each >= ROUNDS and 0.7 < taken / free < 1.4:
            break

    assert 0.7 < taken / free < 1.4


@pytest.mark.parametrize("path", ["forgot-password", "resend-verification"])
def test_asking_for_a_link_costs_the_same_queries_for_everyone(owner: User, path: str) -> None:
    create_user(email="waiting@example.com", email_verified=False)
    counts = set()
    for number, email in enumerate([owner.email, "waiting@example.com", "nobody@example.com"]):
        with CaptureQueriesContext(connection) as queries:
            Client(REMOTE_ADDR=f"10.55.0.{number + 1}").post(
                f"/api/v1/auth/{path}", {"email": email}, "application/json"
            )
        counts.add(tuple(query["sql"].partition(" ")[0] for query in queries))

    assert len(counts) == 1
