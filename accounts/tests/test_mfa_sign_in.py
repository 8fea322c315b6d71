"""Signing in with a second step: what serves, how often, and what does not."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import jwt
import pytest
from django.db.models import F, TextField
from django.db.models.functions import Cast
from django.test import Client

from accounts.models import MfaChallenge, RecoveryCode, Session, SignInThrottle, TotpDevice, User
from accounts.services.single_use_tokens import RESET_PASSWORD, issue_token
from accounts.tests.answers import INVALID_CREDENTIALS, ClientOf, bearer, error_of, invalid, refusal, sign_in, tables
from accounts.tests.factories import PASSWORD
from accounts.tests.mfa import VERIFY, Phone, give_phone, mfa_token_of, verify
from core.tests.spine import Events

ENDED = refusal(401, "INVALID_TOKEN", "This sign-in has ended; begin again.")

_addresses = count(1)
ARABIC = "".join(chr(ord("\u0660") + digit) for digit in (4, 9, 2, 0, 3, 9))
WIDE = "".join(chr(ord("\uff10") + digit) for digit in (4, 9, 2, 0, 3, 9))


def elsewhere() -> Client:
    """Return a client on a device that nobody knows."""
    return Client(REMOTE_ADDR=f"10.60.0.{next(_addresses)}")


@pytest.fixture
def phone(owner: User) -> Phone:
    return give_phone(owner)


def test_the_password_opens_no_session_but_asks_for_the_second_step(
    owner: User, phone: Phone, anonymous: Client
) -> None:
    answer = sign_in(anonymous, owner.email)

    data = answer.json()["data"]
    assert answer.status_code == 200
    assert data.pop("mfa_token").startswith("nkc_")
    assert data == {"mfa_required": True, "methods": ["totp", "recovery_code"], "expires_in": 300}
    assert not Session.objects.exists()
    assert not answer.cookies


def test_the_code_of_the_app_finishes_the_sign_in(owner: User, phone: Phone, anonymous: Client, events: Events) -> None:
    answer = verify(anonymous, mfa_token_of(anonymous, owner), phone.code())

    data = answer.json()["data"]
    claims = jwt.decode(data["access_token"], options={"verify_signature": False})
    assert (answer.status_code, data["user"]["mfa_enabled"]) == (200, True)
    assert claims["amr"] == Session.objects.get().amr == ["pwd", "otp", "mfa"]
    assert anonymous.get("/api/v1/users/me", headers=bearer(data["access_token"])).status_code == 200
    assert anonymous.post("/api/v1/auth/refresh-token", {"refresh_token": data["refresh_token"]}).status_code == 200
    assert "nook_device" in answer.cookies
    assert len(events("session.created")) == 1


def test_the_refresh_token_travels_as_a_cookie_where_that_is_asked_for(
    owner: User, phone: Phone, anonymous: Client
) -> None:
    answer = verify(anonymous, mfa_token_of(anonymous, owner), phone.code(), token_transport="cookie")

    assert "refresh_token" not in answer.json()["data"]
    assert answer.cookies["nook_refresh"]["httponly"]


@pytest.mark.parametrize("written", [lambda code: code, str.upper, lambda code: code.replace("-", " ")])
def test_a_recovery_code_finishes_it_once_however_it_is_typed(
    owner: User, phone: Phone, anonymous: Client, written: Any
) -> None:
    code = written(phone.recovery_codes[3])

    first = verify(anonymous, mfa_token_of(anonymous, owner), code, "recovery_code")
    second = verify(anonymous, mfa_token_of(anonymous, owner), code, "recovery_code")

    assert (first.status_code, second.status_code) == (200, 401)
    assert error_of(second) == INVALID_CREDENTIALS
    assert RecoveryCode.objects.filter(used_at=None).count() == 9


def test_a_code_serves_once(owner: User, phone: Phone, anonymous: Client) -> None:
    code = phone.code()
    assert verify(anonymous, mfa_token_of(anonymous, owner), code).status_code == 200
    token, before = mfa_token_of(anonymous, owner), Session.objects.count()

    answer = verify(anonymous, token, code)

    assert error_of(answer) == INVALID_CREDENTIALS
    assert Session.objects.count() == before


def test_a_code_does_not_serve_after_a_later_one(owner: User, phone: Phone, anonymous: Client) -> None:
    assert verify(anonymous, mfa_token_of(anonymous, owner), phone.code()).status_code == 200

    assert verify(anonymous, mfa_token_of(anonymous, owner), phone.code(-1)).status_code == 401
    assert verify(anonymous, mfa_token_of(anonymous, owner), phone.code(1)).status_code == 200


@pytest.mark.parametrize(("later", "status"), [(-3, 401), (-1, 200), (1, 200), (3, 401)])
def test_clocks_may_differ_by_half_a_minute(
    owner: User, phone: Phone, anonymous: Client, later: int, status: int
) -> None:
    assert verify(anonymous, mfa_token_of(anonymous, owner), phone.code(later)).status_code == status


def test_a_code_may_be_typed_as_the_app_shows_it(owner: User, phone: Phone, anonymous: Client) -> None:
    code = phone.code()

    assert verify(anonymous, mfa_token_of(anonymous, owner), f"{code[:3]} {code[3:]}").status_code == 200


@pytest.mark.parametrize("method", ["totp", "recovery_code"])
@pytest.mark.parametrize("code", ["", "000", ARABIC, WIDE, "é" * 50, "-" * 16, "0" * 100, "12345a", ARABIC[0] * 16])
def test_what_is_no_code_is_refused(owner: User, phone: Phone, anonymous: Client, method: str, code: str) -> None:
    answer = verify(anonymous, mfa_token_of(anonymous, owner), code, method)

    assert answer.status_code in {400, 401}
    assert not Session.objects.exists()


def test_digits_of_another_script_are_not_the_code(owner: User, phone: Phone, anonymous: Client) -> None:
    wide = "".join(chr(ord("\uff10") + int(digit)) for digit in phone.code())

    assert error_of(verify(anonymous, mfa_token_of(anonymous, owner), wide)) == INVALID_CREDENTIALS


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {"method": "sms", "code": "1"},
            ("method", "invalid_choice", "Give one of totp, recovery_code, passkey."),
        ),
        ({"method": "totp"}, ("code", "required", "This field is required.")),
    ],
)
def test_a_body_without_its_proof_is_refused(anonymous: Client, db: None, body: Any, detail: Any) -> None:
    assert error_of(anonymous.post(VERIFY, {"mfa_token": "nkc_x", **body})) == invalid(detail)


def test_the_token_is_good_for_the_second_step_alone(
    owner: User, phone: Phone, anonymous: Client, client_of: ClientOf
) -> None:
    token = mfa_token_of(anonymous, owner)
    before = tables()

    assert anonymous.get("/api/v1/users/me", headers=bearer(token)).status_code == 401
    assert anonymous.post("/api/v1/auth/refresh-token", {"refresh_token": token}).status_code == 401
    assert anonymous.post("/api/v1/auth/verify-email", {"token": token}).status_code == 400
    assert tables() == before


def test_the_token_serves_five_tries(owner: User, phone: Phone, anonymous: Client, events: Events) -> None:
    token = mfa_token_of(anonymous, owner)
    for _ in range(5):
        assert error_of(verify(anonymous, token, "000000")) == INVALID_CREDENTIALS
    SignInThrottle.objects.all().delete()

    assert error_of(verify(anonymous, token, phone.code())) == ENDED
    assert [event.payload for event in events("mfa.failed")] == [{"method": "totp"}] * 5
    assert not Session.objects.exists()


def test_the_token_serves_one_success(owner: User, phone: Phone, anonymous: Client) -> None:
    token = mfa_token_of(anonymous, owner)
    assert verify(anonymous, token, phone.code()).status_code == 200

    assert error_of(verify(anonymous, token, phone.code(1))) == ENDED


def test_the_token_serves_five_minutes(owner: User, phone: Phone, anonymous: Client) -> None:
    token = mfa_token_of(anonymous, owner)
    MfaChallenge.objects.update(expires_at=F("expires_at") - timedelta(minutes=5, seconds=1))

    assert error_of(verify(anonymous, token, phone.code())) == ENDED


def test_the_token_dies_with_the_password_it_followed(owner: User, phone: Phone, anonymous: Client) -> None:
    token = mfa_token_of(anonymous, owner)
    User.objects.update(password="argon2$another")

    assert error_of(verify(anonymous, token, phone.code())) == ENDED
    assert TotpDevice.objects.get().last_step == 0


@pytest.mark.parametrize("change", [{"is_active": False}, {"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}])
def test_whoever_may_no_longer_sign_in_does_not_by_a_code(
    owner: User, phone: Phone, anonymous: Client, change: dict[str, Any]
) -> None:
    token = mfa_token_of(anonymous, owner)
    User.objects.update(**change)

    assert verify(anonymous, token, phone.code()).status_code == 401
    assert not Session.objects.exists()


def test_the_token_of_a_known_device_serves_on_that_device_alone(owner: User, phone: Phone, anonymous: Client) -> None:
    assert verify(anonymous, mfa_token_of(anonymous, owner), phone.code(-1)).status_code == 200
    token = mfa_token_of(anonymous, owner)

    assert error_of(verify(elsewhere(), token, phone.code())) == ENDED
    assert verify(anonymous, token, phone.code()).status_code == 200


def test_wrong_codes_count_for_the_account_whichever_token_they_came_with(
    owner: User, phone: Phone, anonymous: Client
) -> None:
    for _ in range(5):
        assert verify(elsewhere(), mfa_token_of(elsewhere(), owner), "000000").status_code == 401

    answer = verify(anonymous, mfa_token_of(anonymous, owner), phone.code())

    assert (answer.status_code, 0 < int(answer.headers["Retry-After"]) <= 30) == (429, True)
    assert not Session.objects.exists()


def test_a_stranger_with_the_password_does_not_lock_out_the_owner_s_device(
    owner: User, phone: Phone, anonymous: Client
) -> None:
    assert verify(anonymous, mfa_token_of(anonymous, owner), phone.code()).status_code == 200
    for _ in range(6):
        verify(elsewhere(), mfa_token_of(elsewhere(), owner), "000000")

    assert verify(anonymous, mfa_token_of(anonymous, owner), phone.code(1)).status_code == 200


def test_a_new_password_by_mail_does_not_skip_the_second_step(owner: User, phone: Phone, anonymous: Client) -> None:
    secret = issue_token(user=owner, purpose=RESET_PASSWORD)
    body = {"token": secret, "password": f"{PASSWORD}-anew"}
    assert anonymous.post("/api/v1/auth/reset-password", body).status_code == 200

    assert sign_in(anonymous, owner.email, f"{PASSWORD}-anew").json()["data"]["mfa_required"] is True


def test_what_is_stored_of_the_app_is_sealed_and_of_the_codes_a_digest(owner: User, phone: Phone) -> None:
    (sealed,) = TotpDevice.objects.annotate(raw=Cast("secret", TextField())).values_list("raw", flat=True)
    stored = RecoveryCode.objects.values_list("code", flat=True)

    assert str(sealed).startswith("nk1:")
    assert {len(code) for code in stored} == {64}
    assert TotpDevice.objects.get().secret == phone.secret
