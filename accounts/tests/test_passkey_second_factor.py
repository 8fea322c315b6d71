"""A passkey as the second step of a sign-in by password."""

from functools import partial
from typing import Any

import pytest
from django.test import Client

from accounts.models import MfaChallenge, Passkey, PasskeyChallenge, Session, User
from accounts.tests.answers import INVALID_CREDENTIALS, error_of, invalid, sign_in
from accounts.tests.authenticator import BACKUP_ELIGIBLE, USER_PRESENT, Authenticator, to_base64url
from accounts.tests.factories import create_user
from accounts.tests.mfa import VERIFY, give_phone, verify
from accounts.tests.passkeys import JSON, login_options, passkey_of, passkey_state, sign_in_by
from accounts.tests.test_races import at_once, post
from core.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.RATE_LIMIT_SCALE = 1000


def begin(client: Client, user: User) -> dict[str, Any]:
    """Return `data` of the answer to the right password."""
    data: dict[str, Any] = sign_in(client, user.email).json()["data"]
    assert data["mfa_required"] is True
    return data


def finish(client: Client, data: dict[str, Any], authenticator: Authenticator) -> Any:
    """Answer the second step with the authenticator."""
    credential = authenticator.get(data["passkey_options"])
    return client.post(VERIFY, {"mfa_token": data["mfa_token"], "method": "passkey", "credential": credential}, JSON)


def test_the_right_password_asks_for_one_of_the_owner_s_passkeys(
    anonymous: Client, owner: User, stranger: User
) -> None:
    passkey_of(stranger)
    authenticator = passkey_of(owner)

    data = begin(anonymous, owner)

    assert data["methods"] == ["recovery_code", "passkey"]
    assert len(data["passkey_options"].pop("challenge")) == 43
    assert data["passkey_options"] == {
        "rpId": "nook.example",
        "timeout": 300000,
        "allowCredentials": [
            {
                "type": "public-key",
                "id": to_base64url(authenticator.credential_id),
                "transports": ["hybrid", "internal"],
            }
        ],
        "userVerification": "required",
    }


def test_whoever_has_no_passkey_gets_no_options(anonymous: Client, owner: User) -> None:
    give_phone(owner)

    assert "passkey_options" not in begin(anonymous, owner)
    assert not PasskeyChallenge.objects.exists()


def test_the_passkey_finishes_the_sign_in(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)
    # Authenticators need not name the account where they were told which keys are its own.
    authenticator.user_handle = None

    answer = finish(anonymous, begin(anonymous, owner), authenticator)

    assert answer.status_code == 200
    assert answer.json()["data"]["user"]["mfa_enabled"] is True
    assert Session.objects.latest("created_at").amr == ["pwd", "hwk", "user", "mfa"]
    assert Passkey.objects.get().last_used_at is not None


def test_a_code_serves_beside_a_passkey(anonymous: Client, owner: User) -> None:
    passkey_of(owner)
    phone = give_phone(owner)

    data = begin(anonymous, owner)

    assert data["methods"] == ["totp", "recovery_code", "passkey"]
    assert verify(anonymous, data["mfa_token"], phone.code()).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"flags": USER_PRESENT | BACKUP_ELIGIBLE},
        {"client_data": {"challenge": to_base64url(bytes(32))}},
    ],
    ids=str,
)
def test_what_does_not_prove_the_key_is_refused(anonymous: Client, owner: User, wrong: dict[str, Any]) -> None:
    authenticator = passkey_of(owner)
    for name, value in wrong.items():
        setattr(authenticator, name, value)
    sessions, passkeys = Session.objects.count(), passkey_state()[0]

    answer = finish(anonymous, begin(anonymous, owner), authenticator)

    assert error_of(answer) == INVALID_CREDENTIALS
    assert Session.objects.count() == sessions
    assert passkey_state()[0] == passkeys
    assert MfaChallenge.objects.get().tries == 1
    assert Event.objects.get(type="mfa.failed").payload == {"method": "passkey"}


def test_another_user_s_passkey_is_refused(anonymous: Client, owner: User, stranger: User) -> None:
    passkey_of(owner)
    theirs = passkey_of(stranger)

    assert error_of(finish(anonymous, begin(anonymous, owner), theirs)) == INVALID_CREDENTIALS


def test_the_options_serve_the_sign_in_they_came_with(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)
    first, second = begin(anonymous, owner), begin(anonymous, owner)

    crossed = finish(anonymous, {**first, "passkey_options": second["passkey_options"]}, authenticator)

    assert error_of(crossed) == INVALID_CREDENTIALS
    assert finish(anonymous, second, authenticator).status_code == 200


def test_options_of_a_sign_in_without_password_are_no_second_step(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)
    data = begin(anonymous, owner)

    answer = finish(anonymous, {**data, "passkey_options": login_options(anonymous)}, authenticator)

    assert error_of(answer) == INVALID_CREDENTIALS


def test_options_of_a_second_step_are_no_sign_in_without_password(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)
    options = begin(anonymous, owner)["passkey_options"]

    answer = anonymous.post("/api/v1/auth/passkeys/login", {"credential": authenticator.get(options)}, JSON)

    assert error_of(answer) == INVALID_CREDENTIALS


def test_a_copy_of_the_key_is_refused_and_told_of(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner, sign_count=7)

    answer = finish(anonymous, begin(anonymous, owner), authenticator)

    assert error_of(answer) == INVALID_CREDENTIALS
    assert Event.objects.get(type="passkey.copy_suspected").payload["given"] == 7


def test_the_passkey_alone_still_signs_in(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)

    assert sign_in_by(anonymous, authenticator).status_code == 200


def test_a_code_is_no_credential(anonymous: Client, owner: User) -> None:
    passkey_of(owner)
    token = begin(anonymous, owner)["mfa_token"]

    answers = [
        anonymous.post(VERIFY, {"mfa_token": token, "method": "passkey", **body}, JSON)
        for body in ({"code": "000000"}, {"credential": "x"}, {"credential": None})
    ]

    assert error_of(answers[0]) == invalid(("credential", "required", "This field is required."))
    assert [answer.status_code for answer in answers] == [400] * 3


@pytest.mark.django_db(transaction=True)
def test_one_of_64_uses_of_an_assertion_wins(transactional_db: None) -> None:
    owner = create_user()
    authenticator = passkey_of(owner)
    data = begin(Client(), owner)
    credential = authenticator.get(data["passkey_options"])
    body = {"mfa_token": data["mfa_token"], "method": "passkey", "credential": credential}
    before = Session.objects.count()

    answers = at_once(64, partial(post, "/auth/mfa/verify", body))

    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 401, 429}
    assert Session.objects.count() == before + 1
