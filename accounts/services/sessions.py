"""Sessions: signing in, signing in again, ending one or all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from accounts.devices import device_name
from accounts.hashing import is_outdated, is_right_password, make_password
from accounts.identity import forget_session
from accounts.models import KnownDevice, Session, User
from accounts.models.users import normalised_email
from accounts.services import throttle
from accounts.services.impersonation_ends import end_with_session
from accounts.services.mfa_challenges import MfaChallenge, issue_challenge
from accounts.services.second_factors import with_proof
from accounts.tokens import DEVICE_PREFIX, REFRESH_PREFIX, AccessToken, digest
from core import context
from core.crypto import random_token
from core.errors import (
    AccountDisabled,
    ActingOnBehalf,
    EmailNotVerified,
    InvalidCredentials,
    NotFound,
    ReauthenticationRequired,
    SessionRevoked,
    ValidationFailed,
)
from core.events import publish
from core.permissions import Caller

RECENT: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a sign-in or a refresh hands out; the secrets in it are kept nowhere."""

    user: User
    session: Session
    access_token: str
    refresh_token: str
    device_token: str = ""


def sign_in(*, email: str, password: str, device_token: str = "") -> SignIn | MfaChallenge:
    """Open a session for whoever knows the password, or ask them for their second factor.

    `device_token` is what an earlier sign-in on this device handed out. Raises `InvalidCredentials`,
    `RateLimited` and, after the right password only, `EmailNotVerified` or `AccountDisabled`.
    """
    user = check_password(email=email, password=password, device_token=device_token)
    return finish_sign_in(user=user, device_token=device_token, amr=["pwd"])


@transaction.atomic
def finish_sign_in(*, user: User, amr: Iterable[str], device_token: str = "") -> SignIn | MfaChallenge:
    """Let in a user who has proved who they are by `amr` (RFC 8176): every way of signing in ends here.

    Where the user has two-factor sign-in this asks for the second one, whatever the first was. Raises
    `InvalidCredentials` like `open_session`.
    """
    current = locked_as_checked(user)
    if current.mfa_enabled:
        return issue_challenge(user=current, amr=list(amr), device_token=device_token)
    return open_locked_session(current, device_token=device_token, amr=amr)


def check_password(*, email: str, password: str, device_token: str = "") -> User:
    """Return the user who may sign in with this password; raises like `sign_in`.

    Not one transaction: hashing takes a quarter of a second, and a failure has to count though we raise.
    """
    address = normalised_email(email)
    key = throttle.throttle_key(email=address, device_token=device_token)
    throttle.refuse_if_blocked(key)
    user = User.objects.select_related("role").filter(email=address).first()
    if not is_right_password(password, user.password if user else None) or user is None:
        throttle.record_failure(key, email=address)
        raise InvalidCredentials
    throttle.accept_success(key)
    refuse_unready(user)
    return _with_fresh_hash(user, password)


@transaction.atomic
def open_session(*, user: User, device_token: str = "", amr: Iterable[str] = ("pwd",)) -> SignIn:
    """Open a session for a user whose credentials were checked, all that they have to show.

    Raises `InvalidCredentials` when password or state changed since: a reset ends what it overtakes.
    """
    return open_locked_session(locked_as_checked(user), device_token=device_token, amr=amr)


def locked_as_checked(user: User) -> User:
    """Return the user, locked, if password and state are still what the credentials were checked against.

    Raises `InvalidCredentials`.
    """
    current = User.objects.locked().filter(pk=user.pk).first()
    if current is None or not current.is_active or current.password != user.password:
        raise InvalidCredentials
    return current


def open_locked_session(current: User, *, device_token: str, amr: Iterable[str]) -> SignIn:
    """Open a session for the user that the caller has locked."""
    refresh_token = random_token(REFRESH_PREFIX)
    session = _create_session(current, refresh_token, list(amr))
    known_as = _remember_device(current, device_token)
    is_first = current.last_login_at is None
    current.last_login_at = session.authenticated_at
    current.save(update_fields=["last_login_at"])
    publish(
        "session.created",
        subject=session,
        actor=_caller(current, session),
        data={
            "after": {"device": session.device, "amr": session.amr},
            "new_device": known_as != device_token and not is_first,
        },
        audience=[current.pk],
    )
    return SignIn(current, session, access_token_for(session, current), refresh_token, known_as)


def access_token_for(session: Session, user: User) -> str:
    """Return a new access token of the session."""
    return str(AccessToken.of(session, user, authenticated_at=session.authenticated_at))


def reauthenticate(*, actor: Caller, password: str) -> SignIn:
    """Hand out an access token with a fresh sign-in time to whoever knows the password of the session's user.

    Of an account with two-factor sign-in a password alone does not: raises `ValidationFailed` that names `code`.
    """
    user = confirm_password(actor=actor, password=password)
    if user.mfa_enabled:
        raise ValidationFailed.of("code", "required", "This account has two-factor sign-in: give a code.")
    return renew_sign_in(actor, user)


def confirm_password(*, actor: Caller, password: str) -> User:
    """Return the signed-in user if this is their password; raises `InvalidCredentials` or `RateLimited`."""
    refuse_on_behalf(actor)
    key = throttle.session_key(_session_id(actor))
    throttle.refuse_if_blocked(key)
    user = User.objects.select_related("role").get(pk=actor.own_id)
    if not is_right_password(password, user.password):
        throttle.record_failure(key, email=user.email)
        raise InvalidCredentials
    throttle.accept_success(key)
    return user


def require_recent_sign_in(actor: Caller) -> None:
    """Raise `ReauthenticationRequired` unless the caller proved who they are within ten minutes.

    An administrator in somebody's place has proved to be somebody else: `ActingOnBehalf`, whatever they did.
    """
    refuse_on_behalf(actor)
    if actor.authenticated_at is None or datetime.now(UTC) - actor.authenticated_at > RECENT:
        raise ReauthenticationRequired


def locked_owner(actor: Caller) -> User:
    """Return the actor's own account, locked, for a change that outlasts their session; raises `SessionRevoked`.

    For a second this process may not know that another one has ended the session. What a thief leaves behind in that
    second (a token, a link, a passkey) would go on, so the database is asked, under the lock that a new password takes.
    """
    user = User.objects.locked().filter(pk=actor.own_id).first()
    is_over = actor.session_id is not None and not Session.objects.live().filter(pk=actor.session_id).exists()
    if user is None or is_over:
        raise SessionRevoked
    return user


def refuse_on_behalf(actor: Caller) -> None:
    """Raise `ActingOnBehalf` for an administrator in somebody's place."""
    if actor.impersonated_by is not None:
        raise ActingOnBehalf


@transaction.atomic
def sign_out(*, actor: Caller) -> None:
    """End the session that the actor speaks from; ended before, it stays so."""
    session = Session.objects.select_for_update().filter(pk=_session_id(actor), revoked_at=None).first()
    if session is not None:
        revoke(session, actor=actor, reason="signed_out")


@transaction.atomic
def end_session(*, actor: Caller, session_id: UUID) -> None:
    """End one of the actor's own sessions; raises `NotFound` for any other."""
    session = Session.objects.select_for_update().filter(pk=session_id, user_id=actor.own_id, revoked_at=None).first()
    if session is None or session.expires_at <= datetime.now(UTC):
        raise NotFound
    revoke(session, actor=actor, reason="signed_out")


@transaction.atomic
def end_sessions(*, user_id: UUID, actor: Caller, reason: str, keep: UUID | None = None) -> int:
    """End every live session of the user but `keep`; return how many."""
    sessions = Session.objects.live().filter(user_id=user_id).exclude(pk__in=[keep] if keep else [])
    locked = list(sessions.select_for_update().order_by("pk"))
    for session in locked:
        revoke(session, actor=actor, reason=reason)
    return len(locked)


def revoke(session: Session, *, actor: Caller, reason: str) -> None:
    """End a session that the caller has locked; its access tokens stop here at once, elsewhere within a second."""
    session.revoked_at = datetime.now(UTC)
    session.revoke_reason = reason
    session.save(update_fields=["revoked_at", "revoke_reason"])
    publish("session.revoked", subject=session, actor=actor, data={"reason": reason}, audience=[session.user_id])
    end_with_session(session, actor=actor, reason=reason)
    forget_session(session.pk)


def purge_sessions() -> int:
    """Delete the sessions that ended more than a refresh token's life ago; return how many."""
    old = datetime.now(UTC) - timedelta(days=settings.REFRESH_TOKEN_DAYS)
    return Session.objects.filter(expires_at__lt=old).delete()[0]


def purge_devices() -> int:
    """Delete the devices that nobody has signed in from for a year; return how many."""
    return KnownDevice.objects.filter(last_seen_at__lt=datetime.now(UTC) - timedelta(days=365)).delete()[0]


def refuse_unready(user: User) -> None:
    """Raise `AccountDisabled` or `EmailNotVerified` for somebody known who may not sign in all the same."""
    if not user.is_active:
        raise AccountDisabled
    if settings.EMAIL_VERIFICATION_REQUIRED and not user.email_verified:
        raise EmailNotVerified


def _with_fresh_hash(user: User, password: str) -> User:
    """Return the user, with the hash brought up to date where it is of an old kind."""
    if not is_outdated(user.password):
        return user
    fresh = make_password(password)
    User.objects.filter(pk=user.pk, password=user.password).update(password=fresh)
    user.password = fresh
    return user


def _create_session(user: User, refresh_token: str, amr: list[str]) -> Session:
    work = context.current()
    now = datetime.now(UTC)
    return Session.objects.create(
        user=user,
        token=digest(refresh_token),
        expires_at=now + timedelta(days=settings.REFRESH_TOKEN_DAYS),
        authenticated_at=now,
        last_seen_at=now,
        amr=amr,
        device=device_name(work.user_agent),
        ip=work.ip,
        user_agent=work.user_agent[:500],
    )


def _remember_device(user: User, device_token: str) -> str:
    """Return the token by which this device is known from now on."""
    known = KnownDevice.objects.filter(user=user, token=digest(device_token)) if device_token else None
    if known is not None and known.update(last_seen_at=Now()) == 1:
        return device_token
    fresh = random_token(DEVICE_PREFIX)
    KnownDevice.objects.create(user=user, token=digest(fresh))
    return fresh


@transaction.atomic
def renew_sign_in(actor: Caller, user: User, *, proved: Sequence[str] = ()) -> SignIn:
    """Set the sign-in time of the actor's session to now, and note what else its user has `proved`."""
    session = Session.objects.live().select_for_update().filter(pk=_session_id(actor)).first()
    if session is None:
        raise SessionRevoked
    session.authenticated_at = datetime.now(UTC)
    session.amr = with_proof(session.amr, proved)
    session.save(update_fields=["authenticated_at", "amr"])
    publish("session.reauthenticated", subject=session, actor=actor, audience=[user.pk])
    if proved:
        forget_session(session.pk)
    return SignIn(user, session, access_token_for(session, user), refresh_token="")


def _session_id(actor: Caller) -> UUID:
    if actor.session_id is None:
        raise SessionRevoked
    return actor.session_id


def _caller(user: User, session: Session) -> Caller:
    return Caller(user.pk, user.email, user.name, user.role_name, user.permission_set, session_id=session.pk)
