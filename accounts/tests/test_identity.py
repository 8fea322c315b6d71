"""Who an access token speaks for, and for how long."""

import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from django.conf import settings
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.identity import forget_session, identify
from accounts.models import Session, User
from accounts.signing_keys import active_key
from accounts.tests.factories import access_token_of, create_session
from core.errors import InvalidToken, SessionRevoked, TokenExpired


def test_token_speaks_for_its_user_and_session(moderator: User) -> None:
    session = create_session(moderator)

    caller, claims = identify(access_token_of(session))

    assert (caller.id, caller.session_id, caller.role) == (moderator.pk, session.pk, "moderator")
    assert caller.permissions == moderator.permission_set
    assert caller.authenticated_at == session.authenticated_at.replace(microsecond=0)
    assert claims.keys() == {
        "sub",
        "sid",
        "email",
        "role",
        "amr",
        "auth_time",
        "iat",
        "exp",
        "jti",
        "iss",
        "aud",
        "typ",
    }
    assert claims["exp"] - claims["iat"] == 900


def test_token_is_signed_with_es256_and_names_its_key(owner: User) -> None:
    header = jwt.get_unverified_header(access_token_of(create_session(owner)))

    assert header == {"alg": "ES256", "kid": "test", "typ": "JWT"}


@pytest.mark.usefixtures("sessions_read_once")
def test_warm_token_costs_no_query(owner: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    token = access_token_of(create_session(owner))

    with django_assert_num_queries(1):
        identify(token)
    with django_assert_num_queries(0):
        identify(token)


def test_revoked_session_serves_for_less_than_a_second(owner: User) -> None:
    session = create_session(owner)
    token = access_token_of(session)
    identify(token)

    Session.objects.filter(pk=session.pk).update(revoked_at=datetime.now(UTC))
    time.sleep(1)

    with pytest.raises(SessionRevoked):
        identify(token)


@pytest.mark.parametrize("change", [{"is_active": False}, {"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}])
def test_disabled_or_deleted_user_is_refused(owner: User, change: dict[str, object]) -> None:
    session = create_session(owner)
    token = access_token_of(session)
    identify(token)

    User.all_objects.filter(pk=owner.pk).update(**change)
    forget_session(session.pk)

    with pytest.raises(SessionRevoked):
        identify(token)


def test_change_of_role_holds_for_the_token_at_hand(owner: User, admin: User) -> None:
    session = create_session(owner)
    token = access_token_of(session)

    User.objects.filter(pk=owner.pk).update(role=admin.role)
    forget_session(session.pk)
    caller, claims = identify(token)

    assert (caller.role, claims["role"]) == ("admin", "user")


def _forged(owner: User, key: object = None, algorithm: str = "ES256", kid: str = "test", **changes: object) -> str:
    session = create_session(owner)
    now = int(time.time())
    claims: dict[str, object] = {
        "sub": str(owner.pk),
        "sid": str(session.pk),
        "typ": "access",
        "jti": "1",
        "iat": now,
        "exp": now + 60,
        "auth_time": now,
        "iss": settings.JWT_ISSUER,
        "aud": settings.JWT_AUDIENCE,
    }
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    secret = active_key().private if key is None else key
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": kid})  # type: ignore[arg-type]  # forged


def test_forged_but_faithful_token_would_serve(owner: User) -> None:
    caller, _ = identify(_forged(owner))

    assert caller.id == owner.pk


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "another"},
        {"iss": "another"},
        {"typ": "refresh"},
        {"typ": None},
        {"sid": None},
        {"sid": "no-uuid"},
        {"sid": 7},
        {"sub": None},
        {"jti": None},
        {"exp": None},
        {"iat": None},
        {"auth_time": None},
        {"auth_time": "soon"},
        {"auth_time": 10**30},
        {"kid": "unknown"},
        {"key": "x" * 64, "algorithm": "HS256"},
        {"key": "", "algorithm": "none"},
    ],
    ids=str,
)
def test_token_that_says_something_else_is_invalid(owner: User, change: dict[str, object]) -> None:
    token = _forged(owner, **change)  # type: ignore[arg-type]  # the rows say what is forged

    with pytest.raises(InvalidToken) as refusal:
        identify(token)
    assert refusal.value.code == "INVALID_TOKEN"


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "é", "\x00", "eyJhbGciOiJub25lIn0.e30.", "x" * 10_000])
def test_garbage_is_invalid(db: None, token: str) -> None:
    with pytest.raises(InvalidToken):
        identify(token)


def test_expired_token_is_told_so(owner: User) -> None:
    with pytest.raises(TokenExpired):
        identify(_forged(owner, exp=int(time.time()) - 1))


def test_token_expires_though_it_is_remembered(owner: User) -> None:
    token = _forged(owner, exp=int(time.time()) + 1)
    identify(token)

    time.sleep(1.1)

    with pytest.raises(TokenExpired):
        identify(token)


def test_retired_key_verifies_until_it_leaves_the_ring(owner: User, settings: Settings) -> None:
    session = create_session(owner)
    old_token, old_ring = access_token_of(session), settings.JWT_KEYS

    settings.JWT_KEYS = "next:" + "bmV4" * 10 + "bmU=," + old_ring
    new_token = access_token_of(session)

    assert jwt.get_unverified_header(new_token)["kid"] == "next"
    assert identify(old_token)[0].id == identify(new_token)[0].id == owner.pk


def test_sign_in_times_of_two_tokens_stay_apart(owner: User) -> None:
    session = create_session(owner, authenticated_at=datetime.now(UTC) - timedelta(hours=1))
    old_token = access_token_of(session)
    Session.objects.filter(pk=session.pk).update(authenticated_at=datetime.now(UTC))
    new_token = access_token_of(Session.objects.get(pk=session.pk))

    old_time, new_time = identify(old_token)[0].authenticated_at, identify(new_token)[0].authenticated_at

    assert old_time is not None
    assert new_time is not None
    assert new_time - old_time >= timedelta(minutes=59)
