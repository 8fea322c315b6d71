"""Refresh tokens: each serves once, a twin within seconds gets the same answer, a later one is a thief.

The tokens of a session are one line: the successor is derived from the token at hand and a salt that
the one winning request drew and stored. A twin (a second tab, a lost answer) that comes within the
grace period walks the same line to its live end, so nothing forks and nothing lives on twice.
"""

import secrets
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.devices import device_name
from accounts.models import Session, SpentRefreshToken
from accounts.services.sessions import SignIn, access_token_for, revoke
from accounts.tokens import REFRESH_PREFIX, digest, successor
from core import context
from core.crypto import is_well_formed_token
from core.errors import InvalidToken, SessionRevoked, TokenExpired, TokenReused
from core.events import publish
from core.permissions import Caller
from notifications.services import News, notify


def refresh_session(*, refresh_token: str) -> SignIn:
    """Return a new pair for a live refresh token.

    Raises `InvalidToken`, `TokenExpired`, `SessionRevoked`, or `TokenReused` after ending the session.
    """
    if not is_well_formed_token(refresh_token, REFRESH_PREFIX):
        raise InvalidToken
    return _rotate(refresh_token) or _answer_spent(refresh_token)


@transaction.atomic
def _rotate(refresh_token: str) -> SignIn | None:
    """Redeem the token if it is the live one of a live session: one conditional UPDATE, so one of many twins wins."""
    salt = secrets.token_hex(16)
    following = successor(refresh_token, salt)
    now, work = datetime.now(UTC), context.current()
    won = Session.objects.filter(token=digest(refresh_token), revoked_at=None, expires_at__gt=now).update(
        token=digest(following),
        last_seen_at=now,
        expires_at=now + timedelta(days=settings.REFRESH_TOKEN_DAYS),
        device=device_name(work.user_agent),
        ip=work.ip,
        user_agent=work.user_agent[:500],
    )
    if not won:
        return None
    session = _session_holding(following)
    SpentRefreshToken.objects.create(session=session, token=digest(refresh_token), salt=salt, spent_at=now)
    publish("session.refreshed", subject=session, actor=Caller.of(session.user), audience=[session.user_id])
    return _pair(session, following)


def _answer_spent(refresh_token: str) -> SignIn:
    """Answer a token that is not the live one of a live session."""
    spent = SpentRefreshToken.objects.select_related("session").filter(token=digest(refresh_token)).first()
    if spent is None:
        raise _why_dead(refresh_token)
    if not Session.objects.live().filter(pk=spent.session_id).exists():
        raise SessionRevoked
    if datetime.now(UTC) - spent.spent_at <= timedelta(seconds=settings.REFRESH_GRACE_SECONDS):
        return _follow(spent, refresh_token)
    _end_stolen(spent)
    raise TokenReused


def purge_spent_tokens() -> int:
    """Delete the spent tokens that are older than any refresh token lives; return how many."""
    old = datetime.now(UTC) - timedelta(days=settings.REFRESH_TOKEN_DAYS)
    return SpentRefreshToken.objects.filter(spent_at__lt=old).delete()[0]


def _why_dead(refresh_token: str) -> InvalidToken:
    session = Session.objects.filter(token=digest(refresh_token)).first()
    if session is None:
        return InvalidToken()
    return SessionRevoked() if session.revoked_at else TokenExpired()


@transaction.atomic
def _follow(spent: SpentRefreshToken, refresh_token: str) -> SignIn:
    """Give a twin the pair that its token's line ends in; the lock keeps the end where it is meanwhile."""
    Session.objects.select_for_update().get(pk=spent.session_id)
    live_token = _live_end(refresh_token)
    return _pair(_session_holding(live_token), live_token)


def _live_end(refresh_token: str) -> str:
    """Return the token at the end of the line that `refresh_token` is on."""
    token = refresh_token
    while spent := SpentRefreshToken.objects.filter(token=digest(token)).only("salt").first():
        token = successor(token, spent.salt)
    return token


def _session_holding(token: str) -> Session:
    session = Session.objects.select_related("user__role").filter(token=digest(token), revoked_at=None).first()
    if session is None or not session.user.is_active or session.user.deleted_at is not None:
        raise SessionRevoked
    return session


@transaction.atomic
def _end_stolen(spent: SpentRefreshToken) -> None:
    """End the session of a token that came back, once, and tell its owner."""
    session = (
        Session.objects.select_for_update(of=("self",), no_key=True)
        .select_related("user__role")
        .get(pk=spent.session_id)
    )
    if session.revoked_at is not None:
        return
    owner = Caller.of(session.user)
    publish("session.token_reused", subject=session, actor=owner, audience=[session.user_id])
    revoke(session, actor=owner, reason="token_reuse")
    work = context.current()
    variables = {"ip": work.ip or "", "device": device_name(work.user_agent)}
    notify(News("account.token_reuse", variables), to=[session.user_id])


def _pair(session: Session, refresh_token: str) -> SignIn:
    return SignIn(session.user, session, access_token_for(session, session.user), refresh_token)
