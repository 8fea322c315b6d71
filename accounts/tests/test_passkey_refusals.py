"""Adding a passkey: what is refused, and that it leaves everything as it was."""

import copy
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from django.test import Client

from accounts.models import Passkey, PasskeyChallenge, User
from accounts.services.passkey_challenges import purge_passkey_challenges
from accounts.services.passkeys import MOST
from accounts.tests.answers import ClientOf, error_of, refusal
from accounts.tests.authenticator import (
    BACKED_UP,
    USER_PRESENT,
    USER_VERIFIED,
    Authenticator,
    Es256,
    from_base64url,
    to_base64url,
)
from accounts.tests.factories import create_session
from accounts.tests.passkeys import (
    INVALID_CREDENTIAL,
    JSON,
    OPTIONS,
    PASSKEYS,
    add_passkey,
    late_client_of,
    options_of,
    passkey_state,
)

pytestmark = pytest.mark.django_db

REAUTHENTICATION_REQUIRED = refusal(403, "REAUTHENTICATION_REQUIRED", "Confirm that it is you: sign in again.")


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.RATE_LIMIT_SCALE = 1000


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://nook.example.evil.example"},
        {"origin": "http://nook.example"},
        {"origin": "https://nook.example:8443"},
        {"rp_id": "evil.example"},
        {"flags": USER_PRESENT},
        {"flags": USER_VERIFIED},
        {"flags": USER_PRESENT | USER_VERIFIED | BACKED_UP},
        {"client_data": {"type": "webauthn.get"}},
        {"client_data": {"crossOrigin": True}},
        {"client_data": {"challenge": to_base64url(bytes(32))}},
        {"client_data": {"challenge": 7}},
        {"client_data": {"origin": ["https://nook.example"]}},
        {"client_data": {"tokenBinding": {"status": []}}},
        {"credential_id": b""},
    ],
    ids=str,
)
def test_an_answer_that_is_not_for_us_is_refused(owner: User, client_of: ClientOf, wrong: dict[str, Any]) -> None:
    client = client_of(owner)
    create_session(owner)
    before = passkey_state()

    answer = add_passkey(client, Authenticator(**wrong))

    assert answer.status_code == 400
    assert wrong == {"credential_id": b""} or error_of(answer) == INVALID_CREDENTIAL
    assert passkey_state() == before


def test_bytes_cut_short_anywhere_are_refused(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    whole = Authenticator().create(options_of(client))
    before = passkey_state()
    statuses = set()

    for member in ("clientDataJSON", "attestationObject"):
        data = from_base64url(whole["response"][member])
        for length in range(1, len(data), 5):
            cut = copy.deepcopy(Authenticator().create(options_of(client)))
            cut["response"][member] = to_base64url(data[:length])
            statuses.add(client.post(PASSKEYS, {"credential": cut}).status_code)

    assert statuses == {400}
    assert passkey_state() == before


@pytest.mark.parametrize(
    "cose",
    [
        {},
        {1: 2, 3: -7},
        {1: 2, 3: -7, -1: 1, -2: b"", -3: b""},
        {1: 2, 3: -7, -1: 1, -2: "x", -3: []},
        {1: 3, 3: -257, -1: b"\x01" * 900, -2: b"\x01\x00\x01"},
        {1: 2, 3: -47, -1: 8, -2: bytes(32), -3: bytes(32)},
        {1: [], 3: {}},
    ],
    ids=str,
)
def test_a_key_that_is_none_is_refused(owner: User, client_of: ClientOf, cose: dict[int, Any]) -> None:
    class Odd(Es256):
        def cose(self) -> dict[int, Any]:
            return {3: None, **cose}

    client = client_of(owner)

    answer = add_passkey(client, Authenticator(key=Odd()))

    assert error_of(answer) == INVALID_CREDENTIAL
    assert Passkey.objects.count() == 0


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("attestationObject", to_base64url(b"\x9f" * 20_000)),
        ("attestationObject", to_base64url(b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff")),
        ("attestationObject", to_base64url(cbor2.dumps([1, 2]))),
        ("attestationObject", to_base64url(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": 7}))),
        ("clientDataJSON", to_base64url(b"[" * 6_000)),
        ("clientDataJSON", to_base64url(b"\xff\xfe")),
        ("clientDataJSON", to_base64url(b'{"type": 9e999}')),
    ],
    ids=range(7),
)
def test_hostile_bytes_are_refused(owner: User, client_of: ClientOf, member: str, value: str) -> None:
    client = client_of(owner)
    credential = Authenticator().create(options_of(client))
    credential["response"][member] = value

    answer = client.post(PASSKEYS, {"credential": credential})

    assert error_of(answer) == INVALID_CREDENTIAL


def test_what_is_too_long_or_no_base64url_is_named(owner: User, client_of: ClientOf) -> None:
    credential = Authenticator().create(options_of(client_of(owner)))
    credential["rawId"] = "a" * 1365
    credential["response"]["attestationObject"] = "a b"

    answer = client_of(owner).post(PASSKEYS, {"credential": credential, "name": "n" * 101})

    assert {detail["field"] for detail in error_of(answer)["details"]} == {
        "credential.rawId",
        "credential.response.attestationObject",
        "name",
    }


def test_a_challenge_serves_once(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    options = options_of(client)
    client.post(PASSKEYS, {"credential": Authenticator().create(options)})

    answer = client.post(PASSKEYS, {"credential": Authenticator().create(options)})

    assert error_of(answer) == INVALID_CREDENTIAL
    assert Passkey.objects.count() == 1


def test_a_challenge_serves_the_session_it_was_given_to(owner: User, stranger: User, client_of: ClientOf) -> None:
    credential = Authenticator().create(options_of(client_of(owner)))

    answers = [client_of(person).post(PASSKEYS, {"credential": credential}) for person in (stranger, owner)]

    assert [error_of(answer) for answer in answers] == [INVALID_CREDENTIAL] * 2


def test_a_challenge_serves_five_minutes_and_is_purged(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    credential = Authenticator().create(options_of(client))
    PasskeyChallenge.objects.update(expires_at=datetime.now(UTC))

    answer = client.post(PASSKEYS, {"credential": credential})

    assert error_of(answer) == INVALID_CREDENTIAL
    assert purge_passkey_challenges() == 1


def test_a_sign_in_challenge_adds_no_passkey(owner: User, client_of: ClientOf, anonymous: Client) -> None:
    client = client_of(owner)
    options = options_of(client)
    options["challenge"] = anonymous.post("/api/v1/auth/passkeys/login/options").json()["data"]["options"]["challenge"]

    answer = client.post(PASSKEYS, {"credential": Authenticator().create(options)})

    assert error_of(answer) == INVALID_CREDENTIAL


def test_a_passkey_belongs_to_one_account(owner: User, stranger: User, client_of: ClientOf) -> None:
    authenticator = Authenticator()
    add_passkey(client_of(owner), authenticator)
    before = passkey_state()

    client = client_of(stranger)
    answer = add_passkey(client, authenticator)

    assert error_of(answer) == refusal(409, "CONFLICT", "This passkey is registered already.")
    assert [row for row in passkey_state()[0] if row["user_id"] == stranger.pk] == []
    assert passkey_state()[2:] == before[2:]


def test_an_account_has_so_many_at_most(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    last = options_of(client)
    for number in range(MOST):
        Passkey.objects.create(
            user=owner, name="x", credential_id=f"x{number}", public_key=b"x", user_handle="x", aaguid=owner.pk
        )

    answers = [client.post(OPTIONS), client.post(PASSKEYS, {"credential": Authenticator().create(last)})]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert Passkey.objects.count() == MOST


@pytest.mark.parametrize("method", ["options", "add", "remove"])
def test_an_old_sign_in_has_to_be_renewed(owner: User, client_of: ClientOf, method: str) -> None:
    client = client_of(owner)
    add_passkey(client, Authenticator())
    late = late_client_of(owner)
    before = passkey_state()

    answers = {
        "options": lambda: late.post(OPTIONS, {}, JSON),
        "add": lambda: late.post(PASSKEYS, {"credential": Authenticator().create(options_of(client))}, JSON),
        "remove": lambda: late.delete(f"{PASSKEYS}/{Passkey.objects.get().pk}"),
    }

    assert error_of(answers[method]()) == REAUTHENTICATION_REQUIRED
    assert passkey_state() == before
