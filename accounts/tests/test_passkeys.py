"""`/auth/mfa/passkeys…`: adding, naming and removing the passkeys of one's account."""

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from django.test import Client

from accounts.models import Passkey, PasskeyChallenge, RecoveryCode, Role, Session, User
from accounts.tests.answers import NOT_FOUND, ClientOf, error_of, kinds_sent_to, sign_in
from accounts.tests.authenticator import (
    BACKUP_ELIGIBLE,
    USER_PRESENT,
    USER_VERIFIED,
    Authenticator,
    Ed25519,
    Es256,
    Key,
    Rs256,
    from_base64url,
    to_base64url,
)
from accounts.tests.mfa import mfa_token_of, verify
from accounts.tests.passkeys import (
    PASSKEYS,
    add_passkey,
    options_of,
    passkey_state,
)
from core.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.RATE_LIMIT_SCALE = 1000


def test_the_options_ask_for_a_verified_discoverable_key_without_attestation(owner: User, client_of: ClientOf) -> None:
    options = options_of(client_of(owner))

    handle = options["user"].pop("id")
    assert len(from_base64url(options.pop("challenge"))) == 32
    assert len(from_base64url(handle)) == 64
    assert str(owner.pk) not in handle
    assert options == {
        "rp": {"name": "Nook Link", "id": "nook.example"},
        "user": {"name": "owner@example.com", "displayName": "Olive Owner"},
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (-8, -7, -257)],
        "timeout": 300000,
        "excludeCredentials": [],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
    }


@pytest.mark.parametrize("key", [Es256, Ed25519, Rs256])
def test_a_passkey_of_each_algorithm_is_added(owner: User, client_of: ClientOf, key: Callable[[], Key]) -> None:
    client = client_of(owner)
    authenticator = Authenticator(key=key())

    answer = add_passkey(client, authenticator, name="My laptop")

    passkey = Passkey.objects.get()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{PASSKEYS}/{passkey.pk}"
    data = answer.json()["data"]
    assert data.pop("created_at")
    assert len(data.pop("recovery_codes")) == 10
    assert data == {
        "id": str(passkey.pk),
        "name": "My laptop",
        "transports": ["hybrid", "internal"],
        "backup_eligible": True,
        "backed_up": True,
        "last_used_at": None,
    }
    assert passkey.user == owner
    assert passkey.user_handle == authenticator.user_handle
    assert cbor2.loads(passkey.public_key) == authenticator.key.cose()
    assert PasskeyChallenge.objects.count() == 0


def test_adding_one_tells_the_log_and_the_owner_and_ends_the_other_sessions(owner: User, client_of: ClientOf) -> None:
    elsewhere, here = client_of(owner), client_of(owner)

    add_passkey(here, Authenticator(), name="My laptop")

    event = Event.objects.get(type="passkey.created")
    assert event.payload == {"after": {"name": "My laptop", "backup_eligible": True}}
    assert (event.actor, event.subject_id) == (owner.pk, str(Passkey.objects.get().pk))
    assert kinds_sent_to(owner.email) == ["account.mfa_changed"]
    assert elsewhere.get("/api/v1/users/me").status_code == 401
    assert here.get("/api/v1/users/me").status_code == 200


def test_a_passkey_without_a_name_is_called_by_the_device(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    body = {"credential": Authenticator().create(options_of(client))}

    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    answer = client.post(PASSKEYS, body, headers={"user-agent": firefox})

    assert answer.json()["data"]["name"] == "Firefox on Linux"


def test_the_second_passkey_names_the_first_and_the_same_account(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    first = Authenticator(transports=("usb", "carrier-pigeon"))
    add_passkey(client, first)

    options = options_of(client)

    assert options["user"]["id"] == first.user_handle
    assert options["excludeCredentials"] == [
        {"type": "public-key", "id": to_base64url(first.credential_id), "transports": ["usb"]}
    ]


def test_a_maker_s_statement_is_left_unread(owner: User, client_of: ClientOf) -> None:
    authenticator = Authenticator(statement=("packed", {"alg": -7, "sig": b"nonsense", "x5c": [b"nonsense"]}))

    assert add_passkey(client_of(owner), authenticator).status_code == 201


def test_a_passkey_gets_another_name(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    add_passkey(client, Authenticator(), name="Old")
    passkey = Passkey.objects.get()

    answers = [client.patch(f"{PASSKEYS}/{passkey.pk}", {"name": "New"}) for _ in range(2)]

    assert [answer.json()["data"]["name"] for answer in answers] == ["New", "New"]
    event = Event.objects.get(type="passkey.renamed")
    assert event.payload == {"before": {"name": "Old"}, "after": {"name": "New"}}


def test_a_passkey_is_removed(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    add_passkey(client, Authenticator(), name="Lost")
    elsewhere = client_of(owner)

    answer = client.delete(f"{PASSKEYS}/{Passkey.objects.get().pk}")

    assert answer.status_code == 204
    assert Passkey.objects.count() == 0
    assert Event.objects.get(type="passkey.removed").payload == {"before": {"name": "Lost"}}
    assert kinds_sent_to(owner.email) == ["account.mfa_changed"] * 2
    assert elsewhere.get("/api/v1/users/me").status_code == 401
    assert client.get("/api/v1/users/me").status_code == 200


def test_nobody_reaches_another_s_passkey(owner: User, admin: User, client_of: ClientOf) -> None:
    add_passkey(client_of(owner), Authenticator())
    path = f"{PASSKEYS}/{Passkey.objects.get().pk}"
    client = client_of(admin)
    before = passkey_state()

    answers = [client.patch(path, {"name": "Mine"}), client.delete(path)]

    assert [error_of(answer) for answer in answers] == [NOT_FOUND] * 2
    assert passkey_state() == before


def test_recovery_codes_come_with_the_first_alone(owner: User, client_of: ClientOf, anonymous: Client) -> None:
    client = client_of(owner)
    codes = add_passkey(client, Authenticator()).json()["data"]["recovery_codes"]

    second = add_passkey(client, Authenticator())

    token = mfa_token_of(anonymous, owner)
    assert "recovery_codes" not in second.json()["data"]
    assert verify(anonymous, token, codes[0], "recovery_code").status_code == 200


def test_the_session_that_adds_one_has_two_factors_from_then_on(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)

    add_passkey(client, Authenticator())

    assert Session.objects.live().get().amr == ["pwd", "hwk", "user", "mfa"]
    owner.refresh_from_db()
    assert owner.mfa_enabled is True


def test_the_list_of_second_factors_names_them(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    added = add_passkey(client, Authenticator()).json()["data"]
    del added["recovery_codes"]

    data = client.get("/api/v1/auth/mfa").json()["data"]

    assert data["methods"] == ["recovery_code", "passkey"]
    assert data["passkeys"] == [added]


def test_without_the_last_one_the_password_alone_signs_in(owner: User, client_of: ClientOf, anonymous: Client) -> None:
    client = client_of(owner)
    add_passkey(client, Authenticator())

    client.delete(f"{PASSKEYS}/{Passkey.objects.get().pk}")

    assert "access_token" in sign_in(anonymous, owner.email).json()["data"]
    assert not RecoveryCode.objects.exists()


def test_a_role_that_demands_two_factors_keeps_the_last_one(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    add_passkey(client, Authenticator())
    Role.objects.filter(pk=owner.role_id).update(require_mfa=True)
    before = passkey_state()

    answer = client.delete(f"{PASSKEYS}/{Passkey.objects.get().pk}")

    assert answer.status_code == 409
    assert passkey_state() == before


def test_who_has_to_enrol_may_do_so_with_a_passkey(owner: User, client_of: ClientOf) -> None:
    Role.objects.filter(pk=owner.role_id).update(require_mfa=True)
    client = client_of(owner)
    before = client.get("/api/v1/profile").status_code

    added = add_passkey(client, Authenticator()).status_code

    assert (before, added, client.get("/api/v1/profile").status_code) == (403, 201, 200)


def test_a_backup_state_is_kept(owner: User, client_of: ClientOf) -> None:
    add_passkey(client_of(owner), Authenticator(flags=USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE))

    passkey = Passkey.objects.get()
    assert (passkey.backup_eligible, passkey.backed_up) == (True, False)
