"""Secrets that serve once, brought by 64 at the same moment, round after round: one of them wins.

On a busy machine some of the others wait for the row past `lock_timeout` and are sent away with 503; they are counted.
`RACE_ROUNDS` says how many rounds; the issue of every round is counted, so that a rare second winner shows.
"""

import os
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pyotp
import pytest
from django.test import Client

from accounts.models import RecoveryCode, Session, SignInThrottle, SpentRefreshToken, TotpDevice, User
from accounts.services.mfa_challenges import issue_challenge
from accounts.services.recovery_codes import issue_recovery_codes
from accounts.services.sessions import open_session
from accounts.services.single_use_tokens import INVITATION, RESET_PASSWORD, issue_token
from accounts.tests.factories import create_user
from accounts.tests.test_races import at_once
from tests.drills.reckoning import report

pytestmark = [pytest.mark.drill, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

RACERS: Final = 64
ROUNDS: Final = int(os.environ.get("RACE_ROUNDS", "200"))

Bodies = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _room(settings: Any) -> None:
    settings.RATE_LIMIT_SCALE = 1_000_000


def race(path: str, bodies: Bodies) -> Counter[int]:
    """Post all bodies at the same moment; return how many answers had which status."""

    def post(index: int) -> int:
        client = Client(REMOTE_ADDR=f"10.60.{index}.1")
        return client.post(f"/api/v1/auth/{path}", bodies[index], "application/json").status_code

    return Counter(at_once(len(bodies), post))


def winners(what: str, path: str, prepare: Callable[[], Bodies]) -> Counter[int]:
    """Return how many rounds had how many winners."""
    won: Counter[int] = Counter()
    sent_away = 0
    for _ in range(ROUNDS):
        SignInThrottle.objects.all().delete()
        statuses = race(path, prepare())
        assert set(statuses) <= {200, 400, 401, 429, 503}, statuses
        won[statuses[200]] += 1
        sent_away += statuses[503]
    report(f"{RACERS} at once: {what}", {"rounds": ROUNDS, "winners": dict(won), "sent_away": sent_away})
    return won


def enrolled() -> User:
    """Return a user with an authenticator app and recovery codes."""
    user = create_user()
    TotpDevice.objects.create(user=user, secret=pyotp.random_base32(), confirmed_at=datetime.now(UTC))
    user.refresh_from_db()
    return user


def tries(user: User, method: str, code: str) -> Bodies:
    """Return one body for each racer, each with an `mfa_token` of its own, all with the same code."""
    tokens = [issue_challenge(user=user, amr=["pwd"], device_token="").mfa_token for _ in range(RACERS)]
    return [{"mfa_token": token, "method": method, "code": code} for token in tokens]


def test_a_refresh_token_is_spent_once() -> None:
    rotations: Counter[int] = Counter()
    for _ in range(ROUNDS):
        token = open_session(user=create_user()).refresh_token
        before = SpentRefreshToken.objects.count()
        statuses = race("refresh-token", [{"refresh_token": token}] * RACERS)
        assert statuses == {200: RACERS}
        rotations[SpentRefreshToken.objects.count() - before] += 1
    report(f"{RACERS} at once: refresh token", {"rounds": ROUNDS, "rotations": dict(rotations)})
    assert rotations == {1: ROUNDS}


def test_a_code_of_an_app_serves_once() -> None:
    user = enrolled()
    device = TotpDevice.objects.get(user=user)

    def prepare() -> Bodies:
        TotpDevice.objects.filter(pk=device.pk).update(last_step=0)
        return tries(user, "totp", pyotp.TOTP(device.secret).now())

    assert winners("TOTP code", "mfa/verify", prepare) == {1: ROUNDS}
    assert Session.objects.count() == ROUNDS


def test_a_recovery_code_serves_once() -> None:
    user = enrolled()

    def prepare() -> Bodies:
        return tries(user, "recovery_code", issue_recovery_codes(user)[0])

    assert winners("recovery code", "mfa/verify", prepare) == {1: ROUNDS}
    assert RecoveryCode.objects.filter(used_at__isnull=False).count() == 1


@pytest.mark.parametrize("purpose", [RESET_PASSWORD, INVITATION])
def test_a_mailed_link_serves_once(purpose: str) -> None:
    def prepare() -> Bodies:
        secret = issue_token(user=create_user(), purpose=purpose)
        return [{"token": secret, "password": f"{secrets.token_hex(8)}-horse"} for _ in range(RACERS)]

    assert winners(f"link to {purpose}", "reset-password", prepare) == {1: ROUNDS}
