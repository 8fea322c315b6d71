"""Somebody takes an address before its owner does; once the owner shows that it is theirs, nothing of it is left."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Connection, Passkey, RecoveryCode, TotpDevice, User
from accounts.tests.answers import INVALID_CREDENTIALS, error_of, kinds_sent_to, sign_in
from accounts.tests.factories import PASSWORD
from accounts.tests.mfa import give_phone
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.passkeys import passkey_of, sign_in_by
from accounts.tests.social import Browser, sign_in_with
from core.tests.spine import Drain
from notifications.tests.smtp import SmtpSink

OWNERS = "owner@example.com"
NEW_PASSWORD = "a-new-horse-and-battery"


def register(client: Client, password: str = PASSWORD) -> None:
    body = {"email": OWNERS, "password": password, "name": "Whoever"}
    assert client.post("/api/v1/auth/register", body).status_code == 201


def set_password(client: Client, token: str) -> Any:
    return client.post("/api/v1/auth/reset-password", {"token": token, "password": NEW_PASSWORD})


@pytest.fixture
def unverified_sign_ins(settings: Any) -> None:
    """An installation that lets people in before they have confirmed their address."""
    settings.EMAIL_VERIFICATION_REQUIRED = False


def test_the_passkeys_and_apps_of_who_came_first_go_when_the_owner_sets_a_password(
    unverified_sign_ins: None, anonymous: Client, drain: Drain, smtp_sink: SmtpSink
) -> None:
    register(anonymous)
    account = User.objects.get(email=OWNERS)
    passkey = passkey_of(account)
    give_phone(account)
    assert sign_in_by(Client(), passkey).status_code == 200

    anonymous.post("/api/v1/auth/forgot-password", {"email": OWNERS})
    drain()
    assert set_password(anonymous, smtp_sink.token_sent_to(OWNERS)).status_code == 200

    assert error_of(sign_in_by(Client(), passkey)) == INVALID_CREDENTIALS
    assert [model.objects.count() for model in (Passkey, TotpDevice, RecoveryCode)] == [0, 0, 0]
    assert "access_token" in sign_in(anonymous, OWNERS, NEW_PASSWORD).json()["data"]
    assert "account.mfa_changed" in kinds_sent_to(OWNERS)


def test_the_second_factors_of_an_owner_who_has_confirmed_outlast_a_new_password(
    owner: User, anonymous: Client, drain: Drain, smtp_sink: SmtpSink
) -> None:
    give_phone(owner)
    anonymous.post("/api/v1/auth/forgot-password", {"email": owner.email})
    drain()

    assert set_password(anonymous, smtp_sink.token_sent_to(owner.email)).status_code == 200

    assert sign_in(anonymous, owner.email, NEW_PASSWORD).json()["data"]["mfa_required"] is True


def test_who_proves_the_address_at_a_provider_takes_the_password_of_who_came_first_away(
    provider: ProviderProcess, anonymous: Client, drain: Drain, smtp_sink: SmtpSink
) -> None:
    register(anonymous)
    drain()
    first_link = smtp_sink.token_sent_to(OWNERS)

    answer = sign_in_with(provider, anonymous, "olive")
    drain()

    assert (answer.status_code, error_of(answer)["details"][0]["code"]) == (409, "account_unconfirmed")
    assert kinds_sent_to(OWNERS) == ["account.verify_email", "account.password_reset"]
    anonymous.post("/api/v1/auth/verify-email", {"token": first_link})
    assert error_of(sign_in(anonymous, OWNERS)) == INVALID_CREDENTIALS
    assert set_password(anonymous, smtp_sink.token_sent_to(OWNERS)).status_code == 200
    assert sign_in_with(provider, anonymous, "olive").status_code == 200


def test_the_connection_of_who_came_first_goes_when_the_owner_registers(
    provider: ProviderProcess, anonymous: Client, drain: Drain, smtp_sink: SmtpSink
) -> None:
    sign_in_with(provider, anonymous, "mallory")
    drain()
    first_link = smtp_sink.token_sent_to(OWNERS)
    assert Connection.objects.get().email == OWNERS

    register(anonymous, "the-owners-own-password")
    drain()
    anonymous.post("/api/v1/auth/verify-email", {"token": first_link})
    set_password(anonymous, smtp_sink.token_sent_to(OWNERS))

    refused = sign_in_with(provider, Browser(), "mallory")
    assert error_of(refused)["code"] == "EMAIL_NOT_VERIFIED"
    assert Connection.objects.count() == 0
    assert sign_in(anonymous, OWNERS, NEW_PASSWORD).status_code == 200
