"""Whoever may call the API, those whose credentials serve no longer among them, and all that a call may change."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from django.db import connection

from accounts.models import Role, Session, User
from accounts.services.mfa_challenges import issue_challenge
from accounts.services.single_use_tokens import VERIFY_EMAIL, issue_token
from accounts.tests.factories import access_token_of, create_api_token_of, create_session, create_user
from accounts.tokens import REFRESH_PREFIX, AccessToken, digest
from core.crypto import random_token
from core.permissions import PERMISSIONS

_TABLES: Final = """
    SELECT relname FROM pg_class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = current_schema()::regnamespace
      AND relname <> 'django_migrations'
    ORDER BY relname
"""


def state() -> dict[str, str]:
    """Return the digest of every table there is: all that a request may change, or set off."""
    with connection.cursor() as cursor:
        cursor.execute(_digests())
        return dict(cursor.fetchall())


@cache
def _digests() -> str:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        names = [name for (name,) in cursor.fetchall()]
    return " UNION ALL ".join(
        f"SELECT '{name}', md5(coalesce(string_agg(r::text, E'\\n' ORDER BY r::text), '')) FROM \"{name}\" AS r"  # noqa: S608  # names of ours
        for name in names
    )


def _disabled() -> str:
    return access_token_of(create_session(create_user("admin", is_active=False)))


def _deleted() -> str:
    return access_token_of(create_session(create_user("admin", deleted_at=datetime.now(UTC))))


def _session_with(**changes: Any) -> str:
    session = create_session(create_user("admin"))
    Session.objects.filter(pk=session.pk).update(**changes)
    return access_token_of(session)


def _expired_token() -> str:
    session = create_session(create_user("admin"))
    token = AccessToken.of(session, session.user, authenticated_at=session.authenticated_at)
    token.set_exp(lifetime=-timedelta(seconds=1))
    return str(token)


def _forged() -> str:
    return access_token_of(create_session(create_user("admin")))[:-8] + "AAAAAAAA"


def _mfa_pending() -> str:
    """Return what somebody holds who has shown their password and not yet their second factor."""
    return issue_challenge(user=create_user("admin"), amr=["pwd"], device_token="").mfa_token


def _unverified() -> str:
    """Return the one secret that somebody holds who has not confirmed their address: the mailed one."""
    return issue_token(user=create_user("admin", email_verified=False), purpose=VERIFY_EMAIL)


def _refresh_token() -> str:
    session, token = create_session(create_user("admin")), random_token(REFRESH_PREFIX)
    Session.objects.filter(pk=session.pk).update(token=digest(token))
    return token


def _api_token(**fields: Any) -> str:
    return create_api_token_of(create_user("admin"), "admin", **fields)[1]


WITHOUT_ACCESS: Final[dict[str, tuple[str, Callable[[], str]]]] = {
    "disabled": ("SESSION_REVOKED", _disabled),
    "deleted": ("SESSION_REVOKED", _deleted),
    "revoked session": ("SESSION_REVOKED", lambda: _session_with(revoked_at=datetime.now(UTC))),
    "expired session": ("SESSION_REVOKED", lambda: _session_with(expires_at=datetime.now(UTC))),
    "expired token": ("TOKEN_EXPIRED", _expired_token),
    "forged": ("INVALID_TOKEN", _forged),
    "MFA pending": ("INVALID_TOKEN", _mfa_pending),
    "unverified": ("INVALID_TOKEN", _unverified),
    "refresh token": ("INVALID_TOKEN", _refresh_token),
    "revoked API token": ("INVALID_TOKEN", lambda: _api_token(revoked_at=datetime.now(UTC))),
    "expired API token": ("TOKEN_EXPIRED", lambda: _api_token(expires_at=datetime.now(UTC))),
    "API token never issued": ("INVALID_TOKEN", lambda: random_token("nk")),
}
"""Who holds something and gets nothing for it, by what they are: the code of the refusal, and what they hold."""


def api_token_of(user: User, *scopes: str) -> str:
    """Return a token that was used this minute, so that its use is no change that a request makes."""
    return create_api_token_of(user, *scopes, last_used_at=datetime.now(UTC))[1]


def unenrolled() -> str:
    """Return a token of an administrator whose role demands a second factor, and who has proved one only."""
    Role.objects.create(name="demanding", permissions=[*PERMISSIONS], require_mfa=True)
    return access_token_of(create_session(create_user("demanding")))
