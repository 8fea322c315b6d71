"""`/auth/passkeys/login…`: signing in with a passkey alone."""

import secrets
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client

from accounts.models import Passkey, PasskeyChallenge, Session, SignInThrottle, User
from accounts.services.passkeys import remove_passkey
from accounts.tests.answers import INVALID_CREDENTIALS, bearer, error_of, kinds_sent_to, sign_in
from accounts.tests.authenticator import (
    BACKUP_ELIGIBLE,
    USER_PRESENT,
    USER_VERIFIED,
    Ed25519,
    Es256,
    Rs256,
    to_base64url,
)
from accounts.tests.factories import create_session, create_user
from accounts.tests.passkeys import LOGIN, LOGIN_OPTIONS, login_options, passkey_of, passkey_state, sign_in_by
from accounts.tests.test_races import at_once, post
from accounts.tokens import verified_claims
from core.models import Event
from core.permissions import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.RATE_LIMIT_SCALE = 1000


def test_the_options_name_nobody(anonymous: Client, owner: User) -> None:
    passkey_of(owner)

    options = login_options(anonymous)

    assert len(options.pop("challenge")) == 43
    assert options == {
        "rpId": "nook.example",
        "timeout": 300000,
        "allowCredentials": [],
        "userVerification": "required",
    }


@pytest.mark.parametrize("key", [Es256, Ed25519, Rs256])
def test_a_passkey_signs_in(anonymous: Client, owner: User, key: Any) -> None:
    authenticator = passkey_of(owner, key=key())

    answer = sign_in_by(anonymous, authenticator)

    data = answer.json()["data"]
    session = Session.objects.latest("created_at")
    assert answer.status_code == 200
    assert data["user"]["email"] == owner.email
    assert session.user == owner
    assert session.amr == ["hwk", "user", "mfa"]
    assert verified_claims(data["access_token"])["amr"] == ["hwk", "user", "mfa"]
    assert anonymous.get("/api/v1/users/me", headers=bearer(data["access_token"])).status_code == 200
    assert Passkey.objects.get().last_used_at is not None
    assert PasskeyChallenge.objects.count() == 0


def test_the_refresh_token_comes_as_a_cookie_for_who_wants_it(anonymous: Client, owner: User) -> None:
    answer = sign_in_by(anonymous, passkey_of(owner), token_transport="cookie")

    assert "refresh_token" not in answer.json()["data"]
    assert answer.cookies["nook_refresh"]["httponly"] is True
    assert "nook_device" in answer.cookies


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://nook.example."},
        {"rp_id": "evil.example"},
        {"flags": USER_PRESENT | BACKUP_ELIGIBLE},
        {"flags": USER_VERIFIED | BACKUP_ELIGIBLE},
        {"flags": USER_PRESENT | USER_VERIFIED},
        {"client_data": {"type": "webauthn.create"}},
        {"client_data": {"crossOrigin": True}},
        {"client_data": {"challenge": to_base64url(bytes(32))}},
        {"client_data": {"challenge": None}},
        {"client_data": {"origin": 1}},
        {"user_handle": None},
        {"user_handle": "AAAA"},
        {"key": Es256()},
        {"key": Ed25519()},
        {"credential_id": b"another"},
    ],
    ids=lambda wrong: str({name: value for name, value in wrong.items() if name != "key"}),
)
def test_what_does_not_prove_the_key_is_refused(anonymous: Client, owner: User, wrong: dict[str, Any]) -> None:
    authenticator = passkey_of(owner)
    for name, value in wrong.items():
        setattr(authenticator, name, value)
    before = passkey_state()

    answer = sign_in_by(anonymous, authenticator)

    assert error_of(answer) == INVALID_CREDENTIALS
    assert passkey_state() == before


def test_a_stranger_s_key_does_not_serve_under_the_owner_s_id(anonymous: Client, owner: User, stranger: User) -> None:
    theirs, mine = passkey_of(owner), passkey_of(stranger)
    mine.credential_id, mine.user_handle = theirs.credential_id, theirs.user_handle
    before = passkey_state()

    answer = sign_in_by(anonymous, mine)

    assert error_of(answer) == INVALID_CREDENTIALS
    assert passkey_state() == before


def test_bytes_cut_short_anywhere_are_refused(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)
    whole = authenticator.get(login_options(anonymous))
    before = passkey_state()
    statuses = set()

    for member, text in whole["response"].items():
        for length in range(1, len(text), 11):
            credential = authenticator.get(login_options(anonymous))
            credential["response"][member] = credential["response"][member][:length]
            statuses.add(anonymous.post(LOGIN, {"credential": credential}).status_code)

    assert statuses == {401}
    assert passkey_state() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"is_active": False},
        {"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"email_verified": False},
        {"is_active": False, "email_verified": False},
    ],
    ids=str,
)
def test_owners_who_may_not_sign_in_get_the_one_refusal(
    anonymous: Client, owner: User, changes: dict[str, Any]
) -> None:
    authenticator = passkey_of(owner)
    User.all_objects.filter(pk=owner.pk).update(**changes)
    before = passkey_state()

    answer = sign_in_by(anonymous, authenticator)

    assert error_of(answer) == INVALID_CREDENTIALS
    assert passkey_state() == before


def test_a_removed_passkey_serves_no_more(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)
    now = datetime.now(UTC)
    session = create_session(owner)
    remove_passkey(
        actor=Caller(owner.pk, session_id=session.pk, authenticated_at=now), passkey_id=Passkey.objects.get().pk
    )

    assert error_of(sign_in_by(anonymous, authenticator)) == INVALID_CREDENTIALS


def test_an_assertion_serves_once(anonymous: Client, owner: User) -> None:
    credential = passkey_of(owner).get(login_options(anonymous))

    answers = [anonymous.post(LOGIN, {"credential": credential}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 401]


def test_a_refused_answer_uses_the_challenge_up(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)
    options = login_options(anonymous)
    spoilt = authenticator.get(options)
    spoilt["response"]["signature"] = to_base64url(secrets.token_bytes(70))
    anonymous.post(LOGIN, {"credential": spoilt})

    answer = anonymous.post(LOGIN, {"credential": authenticator.get(options)})

    assert error_of(answer) == INVALID_CREDENTIALS


def test_a_challenge_serves_five_minutes(anonymous: Client, owner: User) -> None:
    credential = passkey_of(owner).get(login_options(anonymous))
    challenge = PasskeyChallenge.objects.get()
    left = challenge.expires_at - datetime.now(UTC)
    PasskeyChallenge.objects.update(expires_at=datetime.now(UTC))

    answer = anonymous.post(LOGIN, {"credential": credential})

    assert timedelta(minutes=4, seconds=50) < left <= timedelta(minutes=5)
    assert error_of(answer) == INVALID_CREDENTIALS


def test_the_backup_state_is_brought_up_to_date(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)
    authenticator.flags = USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE

    sign_in_by(anonymous, authenticator)

    assert Passkey.objects.get().backed_up is False


def test_a_count_that_grows_is_kept(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner, counts=True, sign_count=7)

    statuses = [sign_in_by(anonymous, authenticator).status_code for _ in range(2)]

    assert statuses == [200, 200]
    assert Passkey.objects.get().sign_count == 9


@pytest.mark.parametrize("count", [0, 6, 7])
def test_a_count_that_does_not_grow_is_a_copy_s(anonymous: Client, owner: User, count: int) -> None:
    authenticator = passkey_of(owner, sign_count=7)
    authenticator.sign_count = count
    sessions = Session.objects.count()

    answer = sign_in_by(anonymous, authenticator)

    passkey = Passkey.objects.get()
    event = Event.objects.get(type="passkey.copy_suspected")
    assert error_of(answer) == INVALID_CREDENTIALS
    assert (passkey.sign_count, passkey.last_used_at) == (7, None)
    assert event.payload == {"name": passkey.name, "expected_above": 7, "given": count}
    assert event.audience == [owner.pk]
    assert Session.objects.count() == sessions


def test_a_count_without_the_key_accuses_nobody(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner, sign_count=7)
    authenticator.sign_count, authenticator.key = 1, Es256()

    assert error_of(sign_in_by(anonymous, authenticator)) == INVALID_CREDENTIALS
    assert not Event.objects.filter(type="passkey.copy_suspected").exists()


def test_strangers_who_guess_passwords_do_not_lock_a_passkey_out(anonymous: Client, owner: User) -> None:
    authenticator = passkey_of(owner)
    for _ in range(6):
        sign_in(anonymous, owner.email, "wrong-horse-battery")

    assert SignInThrottle.objects.get().blocked_until is not None
    assert sign_in_by(anonymous, authenticator).status_code == 200


def test_an_address_asks_so_often_only(settings: Any, anonymous: Client) -> None:
    settings.RATE_LIMIT_SCALE = 1

    statuses = [anonymous.post(LOGIN_OPTIONS).status_code for _ in range(11)]

    assert statuses == [200] * 10 + [429]


def test_a_body_of_another_shape_is_a_clear_refusal(anonymous: Client) -> None:
    answer = anonymous.post(LOGIN, {"credential": {"id": "a", "type": "x", "response": {"userHandle": 1}}})

    assert [(detail["field"], detail["code"]) for detail in error_of(answer)["details"]] == [
        ("credential.rawId", "required"),
        ("credential.type", "invalid_choice"),
        ("credential.response.clientDataJSON", "required"),
        ("credential.response.authenticatorData", "required"),
        ("credential.response.signature", "required"),
    ]


def _sign_in(credential: dict[str, Any], index: int) -> Any:
    return post("/auth/passkeys/login", {"credential": credential}, index)


@pytest.mark.django_db(transaction=True)
def test_one_of_64_uses_of_an_assertion_wins(transactional_db: None) -> None:
    owner = create_user()
    authenticator = passkey_of(owner)
    before = Session.objects.count()

    for _ in range(3):
        credential = authenticator.get(login_options(Client()))
        answers = at_once(64, partial(_sign_in, credential))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 63

    assert Session.objects.count() == before + 3


@pytest.mark.django_db(transaction=True)
def test_of_many_with_the_same_count_one_wins_and_the_copies_are_told_of(transactional_db: None) -> None:
    owner = create_user()
    authenticator = passkey_of(owner, sign_count=1)
    authenticator.sign_count = 2
    credentials = [authenticator.get(login_options(Client())) for _ in range(8)]

    answers = at_once(8, lambda index: _sign_in(credentials[index], index))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert Event.objects.filter(type="passkey.copy_suspected").count() == 7
    assert kinds_sent_to(owner.email) == ["account.mfa_changed"]


@pytest.mark.django_db(transaction=True)
def test_a_removal_overtakes_the_sign_ins_beside_it(transactional_db: None) -> None:
    owner = create_user()
    authenticator = passkey_of(owner)
    session = create_session(owner)
    actor = Caller(owner.pk, session_id=session.pk, authenticated_at=datetime.now(UTC))
    passkey = Passkey.objects.get()
    credentials = [authenticator.get(login_options(Client())) for _ in range(6)]

    def act(index: int) -> Any:
        if index == 6:
            remove_passkey(actor=actor, passkey_id=passkey.pk)
            return None
        return _sign_in(credentials[index], index).status_code

    statuses = at_once(7, act)

    assert set(statuses) <= {None, 200, 401}
    assert [live.pk for live in Session.objects.live()] == [session.pk]
    assert not Event.objects.filter(type="passkey.copy_suspected").exists()
