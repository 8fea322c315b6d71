"""Many bring the same code, or the same `mfa_token`, at the same moment: one of them is let in.

The drills do this with 64 at once, 200 times over (`make drills`).
"""

from collections import Counter
from typing import Any

import pytest

from accounts.models import MfaChallenge, Passkey, RecoveryCode, Session, TotpDevice, User
from accounts.services.mfa_challenges import issue_challenge
from accounts.services.totp import new_secret
from accounts.tests.answers import bearer
from accounts.tests.factories import access_token_of, create_session, create_user
from accounts.tests.mfa import Phone, give_phone
from accounts.tests.passkeys import passkey_of
from accounts.tests.test_races import at_once, post

pytestmark = pytest.mark.django_db(transaction=True)

RACERS = 16


def token_of(user: User) -> str:
    return issue_challenge(user=user, amr=["pwd"], device_token="").mfa_token


def verify_at_once(bodies: list[dict[str, Any]]) -> Counter[int]:
    return Counter(at_once(len(bodies), lambda index: post("/auth/mfa/verify", bodies[index], index).status_code))


@pytest.mark.parametrize("method", ["totp", "recovery_code"])
def test_a_code_serves_one_of_many_whatever_token_it_comes_with(transactional_db: None, method: str) -> None:
    user = create_user()
    phone = give_phone(user)
    code = phone.code() if method == "totp" else phone.recovery_codes[0]

    statuses = verify_at_once([{"mfa_token": token_of(user), "method": method, "code": code} for _ in range(RACERS)])

    assert statuses[200] == 1
    assert set(statuses) <= {200, 401, 429}
    assert Session.objects.count() == 1


def test_a_token_lets_one_in_though_many_bring_right_codes(transactional_db: None) -> None:
    user = create_user()
    phone = give_phone(user)
    token = token_of(user)

    statuses = verify_at_once(
        [{"mfa_token": token, "method": "recovery_code", "code": code} for code in phone.recovery_codes]
    )

    assert statuses == {200: 1, 401: 9}
    assert Session.objects.count() == 1
    assert RecoveryCode.objects.filter(used_at__isnull=False).count() == 1
    assert MfaChallenge.objects.get().tries <= 5


def test_of_many_wrong_codes_at_once_five_are_looked_at(transactional_db: None) -> None:
    user = create_user()
    give_phone(user)
    token = token_of(user)

    verify_at_once([{"mfa_token": token, "method": "totp", "code": f"{index:06d}"} for index in range(RACERS)])

    assert MfaChallenge.objects.get().tries <= 5


def test_an_app_is_confirmed_by_one_of_many(transactional_db: None) -> None:
    user = create_user()
    secret = new_secret()
    TotpDevice.objects.create(user=user, secret=secret)
    headers, code = bearer(access_token_of(create_session(user))), Phone(secret, []).code()

    answers = at_once(8, lambda index: post("/auth/mfa/totp/confirm", {"code": code}, index, headers))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 7}
    assert RecoveryCode.objects.count() == 10


def test_two_methods_taken_away_at_once_leave_the_flag_right(transactional_db: None) -> None:
    user = create_user()
    passkey_of(user)
    give_phone(user)

    at_once(2, lambda index: (TotpDevice, Passkey)[index].objects.filter(user=user).delete())

    assert User.objects.get().mfa_enabled is False
