"""Setting up an authenticator app and recovery codes, and taking them away."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client

from accounts.models import RecoveryCode, Role, Session, TotpDevice, User
from accounts.services.authenticator_apps import purge_waiting_apps
from accounts.services.totp import new_secret
from accounts.tests.answers import (
    INVALID_CREDENTIALS,
    NOT_FOUND,
    SESSION_REVOKED,
    ClientOf,
    error_of,
    invalid,
    kinds_sent_to,
    refusal,
    tables,
    variables_of,
)
from accounts.tests.factories import PASSWORD, access_token_of, create_session
from accounts.tests.mfa import Phone, give_phone, mfa_token_of, verify
from core.tests.spine import Drain, Events
from notifications.models import Message
from notifications.tests.smtp import SmtpSink, text_of

MFA = "/api/v1/auth/mfa"
TOTP = f"{MFA}/totp"
CONFIRM = f"{TOTP}/confirm"
CODES = f"{MFA}/recovery-codes"
NOT_RECENT = refusal(403, "REAUTHENTICATION_REQUIRED", "Confirm that it is you: sign in again.")


def begin(client: Client) -> Phone:
    """Begin to set up an app; return the phone that has read the QR code."""
    answer = client.post(TOTP)
    assert answer.status_code == 200, answer.content
    return Phone(answer.json()["data"]["secret"], [])


def stale_client(client_of: ClientOf, user: User) -> Client:
    client = client_of(user)
    session = create_session(user, authenticated_at=datetime.now(UTC) - timedelta(minutes=11))
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {access_token_of(session)}"
    return client


def test_at_first_there_is_nothing(owner: User, client_of: ClientOf) -> None:
    assert client_of(owner).get(MFA).json()["data"] == {
        "enabled": False,
        "required": False,
        "methods": [],
        "totp": False,
        "recovery_codes_left": 0,
        "passkeys": [],
    }


def test_an_app_gets_its_secret_as_text_as_address_and_as_a_picture(owner: User, client_of: ClientOf) -> None:
    data = client_of(owner).post(TOTP).json()["data"]

    address = urlsplit(data["otpauth_uri"])
    assert re.fullmatch("[A-Z2-7]{32}", data["secret"])
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/Nook%20Link:owner%40example.com")
    assert parse_qs(address.query) == {"secret": [data["secret"]], "issuer": ["Nook Link"]}
    assert data["qr_svg"].startswith("<svg xmlns=")
    assert "<script" not in data["qr_svg"]
    assert User.objects.get().mfa_enabled is False


def test_the_first_code_turns_it_on(owner: User, client_of: ClientOf, anonymous: Client, events: Events) -> None:
    client, elsewhere = client_of(owner), client_of(owner)
    phone = begin(client)

    answer = client.post(CONFIRM, {"code": phone.code(-1)})

    codes = answer.json()["data"]["recovery_codes"]
    assert (answer.status_code, len(set(codes))) == (200, 10)
    assert all(re.fullmatch("([0-9a-z]{4}-){3}[0-9a-z]{4}", code) for code in codes)
    assert client.get("/api/v1/users/me").json()["data"]["mfa_enabled"] is True
    state = client.get(MFA).json()["data"]
    assert (state["enabled"], state["totp"], state["recovery_codes_left"]) == (True, True, 10)
    assert error_of(elsewhere.get("/api/v1/users/me")) == SESSION_REVOKED
    assert Session.objects.live().get().amr == ["pwd", "otp", "mfa"]
    assert [event.payload for event in events("mfa.totp_added")] == [{"replaced": False}]
    assert kinds_sent_to(owner.email) == ["account.mfa_changed"]
    assert verify(anonymous, mfa_token_of(anonymous, owner), phone.code()).status_code == 200
    assert verify(anonymous, mfa_token_of(anonymous, owner), codes[0], "recovery_code").status_code == 200


def test_the_code_that_confirmed_does_not_sign_in(owner: User, client_of: ClientOf, anonymous: Client) -> None:
    client = client_of(owner)
    code = begin(client).code()
    assert client.post(CONFIRM, {"code": code}).status_code == 200

    assert error_of(verify(anonymous, mfa_token_of(anonymous, owner), code)) == INVALID_CREDENTIALS


def test_a_wrong_code_confirms_nothing(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    begin(client)
    before = tables()

    assert error_of(client.post(CONFIRM, {"code": "000000"})) == INVALID_CREDENTIALS
    assert tables() == before
    assert not RecoveryCode.objects.exists()


@pytest.mark.parametrize("is_begun", [True, False])
def test_what_was_not_begun_within_the_hour_is_not_confirmed(owner: User, client_of: ClientOf, is_begun: bool) -> None:
    client = client_of(owner)
    phone = begin(client) if is_begun else Phone(new_secret(), [])
    TotpDevice.objects.update(created_at=F("created_at") - timedelta(hours=1, seconds=1))

    answer = client.post(CONFIRM, {"code": phone.code()})

    text = "No authenticator app waits to be confirmed; begin with a new secret."
    assert error_of(answer) == refusal(409, "CONFLICT", text)
    assert purge_waiting_apps() == is_begun


def test_beginning_again_voids_the_secret_before(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    first, second = begin(client), begin(client)

    assert client.post(CONFIRM, {"code": first.code()}).status_code == 401
    assert client.post(CONFIRM, {"code": second.code()}).status_code == 200


def test_a_new_phone_replaces_the_old_one(owner: User, client_of: ClientOf, anonymous: Client, events: Events) -> None:
    old, client = give_phone(owner), client_of(owner)
    new = begin(client)
    assert verify(anonymous, mfa_token_of(anonymous, owner), old.code(-1)).status_code == 200

    assert client.post(CONFIRM, {"code": new.code(-1)}).status_code == 200

    assert verify(anonymous, mfa_token_of(anonymous, owner), old.code()).status_code == 401
    assert verify(anonymous, mfa_token_of(anonymous, owner), old.recovery_codes[0], "recovery_code").status_code == 401
    assert verify(anonymous, mfa_token_of(anonymous, owner), new.code()).status_code == 200
    assert events("mfa.totp_added")[0].payload == {"replaced": True}


def test_without_the_app_the_password_is_enough_again(
    owner: User, client_of: ClientOf, anonymous: Client, events: Events
) -> None:
    give_phone(owner)
    client, elsewhere = client_of(owner), client_of(owner)

    assert client.delete(TOTP).status_code == 204

    assert client.get(MFA).json()["data"]["enabled"] is False
    assert not RecoveryCode.objects.exists()
    assert error_of(elsewhere.get("/api/v1/users/me")) == SESSION_REVOKED
    answer = anonymous.post("/api/v1/auth/login", {"email": owner.email, "password": PASSWORD})
    assert answer.json()["data"]["user"]["mfa_enabled"] is False
    assert len(events("mfa.totp_removed")) == 1
    assert kinds_sent_to(owner.email) == ["account.mfa_changed"]


def test_an_app_that_is_not_there_is_not_removed(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    begin(client)

    assert error_of(client.delete(TOTP)) == NOT_FOUND


def test_a_role_that_demands_it_keeps_the_last_method(owner: User, client_of: ClientOf) -> None:
    give_phone(owner)
    Role.objects.filter(name="user").update(require_mfa=True)
    client = client_of(owner)
    before = tables()

    answer = client.delete(TOTP)

    text = "Your role demands two-factor sign-in: set up another method first, or replace this one."
    assert error_of(answer) == refusal(409, "CONFLICT", text)
    assert tables() == before
    assert TotpDevice.objects.count() == 1


def test_new_recovery_codes_void_the_old_ones(owner: User, client_of: ClientOf, anonymous: Client) -> None:
    phone = give_phone(owner)

    fresh = client_of(owner).post(CODES).json()["data"]["recovery_codes"]

    old = verify(anonymous, mfa_token_of(anonymous, owner), phone.recovery_codes[0], "recovery_code")
    new = verify(anonymous, mfa_token_of(anonymous, owner), fresh[0], "recovery_code")
    assert (len(fresh), old.status_code, new.status_code) == (10, 401, 200)
    assert kinds_sent_to(owner.email) == ["account.mfa_changed"]


def test_recovery_codes_do_not_stand_alone(owner: User, client_of: ClientOf) -> None:
    answer = client_of(owner).post(CODES)

    assert answer.status_code == 409
    assert not RecoveryCode.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", TOTP, {}), ("POST", CONFIRM, {"code": "000000"}), ("DELETE", TOTP, {}), ("POST", CODES, {})],
)
def test_changes_need_a_recent_sign_in(
    owner: User, client_of: ClientOf, method: str, path: str, body: dict[str, str]
) -> None:
    give_phone(owner)
    client = stale_client(client_of, owner)
    before = tables()

    answer = getattr(client, method.lower())(path, body, "application/json")

    assert error_of(answer) == NOT_RECENT
    assert tables() == before


def test_proving_oneself_again_takes_a_code_where_there_is_a_second_factor(owner: User, client_of: ClientOf) -> None:
    phone, client = give_phone(owner), stale_client(client_of, owner)

    by_password = client.post("/api/v1/auth/reauthenticate", {"password": PASSWORD})
    by_code = client.post("/api/v1/auth/reauthenticate", {"code": phone.recovery_codes[0]})

    assert error_of(by_password) == invalid(("code", "required", "This account has two-factor sign-in: give a code."))
    fresh = {"Authorization": f"Bearer {by_code.json()['data']['access_token']}"}
    assert client.delete(TOTP, headers=fresh).status_code == 204


@pytest.mark.parametrize("body", [{}, {"password": PASSWORD, "code": "000000"}])
def test_one_proves_oneself_by_one_thing(owner: User, client_of: ClientOf, body: dict[str, str]) -> None:
    answer = client_of(owner).post("/api/v1/auth/reauthenticate", body)

    assert error_of(answer) == invalid(("password", "required", "Give a password, or a code."))


def test_a_code_of_an_account_without_second_factor_is_wrong(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)

    assert error_of(client.post("/api/v1/auth/reauthenticate", {"code": "000000"})) == INVALID_CREDENTIALS
    assert Session.objects.get().amr == ["pwd"]


def test_wrong_codes_are_counted_over_all_sessions(owner: User, client_of: ClientOf) -> None:
    phone = give_phone(owner)
    for _ in range(5):
        assert client_of(owner).post("/api/v1/auth/reauthenticate", {"code": "000000"}).status_code == 401

    assert client_of(owner).post("/api/v1/auth/reauthenticate", {"code": phone.code()}).status_code == 429


def test_the_mail_says_what_was_changed(owner: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink) -> None:
    client = client_of(owner)
    client.post(CONFIRM, {"code": begin(client).code()})
    drain()

    assert variables_of(Message.objects.get())["change"] == "An authenticator app was added."
    assert "An authenticator app was added." in text_of(smtp_sink.to(owner.email)[0])


def test_the_flag_of_the_user_follows_raw_changes_too(owner: User) -> None:
    version = owner.version
    give_phone(owner)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM totp_devices")

    owner.refresh_from_db()
    assert (owner.mfa_enabled, owner.version) == (False, version + 2)


def test_staff_see_who_has_it(owner: User, admin: User, client_of: ClientOf) -> None:
    give_phone(owner)

    rows = client_of(admin).get("/api/v1/users").json()["data"]

    assert {row["email"]: row["mfa_enabled"] for row in rows} == {owner.email: True, admin.email: False}
