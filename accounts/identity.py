"""Who an access token speaks for: a verified signature, remembered, and the state of its session, at most a second old.

Both memories are this process's own and bounded, so they need no Redis: a logout, a role change or a
deactivation holds on every process as soon as its snapshot has aged out.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from accounts.models.roles import demands_mfa
from accounts.tokens import verified_claims
from core.errors import InvalidToken, NotAuthenticated, SessionRevoked, TokenExpired
from core.permissions import ANONYMOUS, Caller

_LIMIT: Final = 20_000
# Written out because each session asks it once a second: the ORM takes five times as long to build the same. It goes
# to the primary, whatever a router says: a replica that lags would let a revoked session live on.
_LIVE_CALLER: Final = """
    SELECT users.id, users.email, users.name, roles.name, roles.permissions,
           roles.require_mfa, users.mfa_enabled AND sessions.amr ? 'mfa', sessions.impersonated_by_id
    FROM sessions JOIN users ON users.id = sessions.user_id JOIN roles ON roles.id = users.role_id
    WHERE sessions.id = %s AND sessions.revoked_at IS NULL AND sessions.expires_at > statement_timestamp()
      AND users.is_active AND users.deleted_at IS NULL
      AND (sessions.impersonated_by_id IS NULL OR EXISTS (
        SELECT FROM impersonations JOIN sessions own ON own.id = impersonations.administrator_session_id
        JOIN users administrators ON administrators.id = impersonations.administrator_id
        JOIN roles theirs ON theirs.id = administrators.role_id
        WHERE impersonations.session_id = sessions.id AND impersonations.ended_at IS NULL
          AND impersonations.until > statement_timestamp()
          AND own.revoked_at IS NULL AND own.expires_at > statement_timestamp()
          AND administrators.is_active AND administrators.deleted_at IS NULL
          AND theirs.permissions @> '["admin"]' AND NOT roles.permissions @> '["admin"]'))
"""

Value = TypeVar("Value")


class BoundedMemory(Generic[Value]):
    """A dictionary that forgets its oldest entries; reads take no lock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[Any, Value] = {}
        self._lock = threading.Lock()
        self.get: Callable[[Any], Value | None] = self._entries.get

    def put(self, key: Any, value: Value) -> None:
        """Keep `value` as the newest entry."""
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = value
            while len(self._entries) > self._limit:
                del self._entries[next(iter(self._entries))]

    def forget(self, key: Any) -> None:
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What PostgreSQL said of a session at `read_at`: the caller it is, or why it serves no longer."""

    read_at: float
    caller: Caller = ANONYMOUS
    refusal: type[NotAuthenticated] | None = None


@dataclass(slots=True)
class Verified:
    """A token whose signature was checked, and the caller it stood for when last seen."""

    claims: dict[str, Any]
    session_id: UUID
    expires_at: int
    authenticated_at: datetime
    adopted: tuple[Snapshot | None, Caller] = (None, ANONYMOUS)
    """The snapshot last seen and who the token speaks for by it: one value, because threads adopt side by side."""


_verified: Final = BoundedMemory[Verified](_LIMIT)
_snapshots: Final = BoundedMemory[Snapshot](_LIMIT)


def identify(token: str) -> tuple[Caller, dict[str, Any]]:
    """Return the caller that an access token speaks for, and its claims.

    Raises `InvalidToken`, `TokenExpired` or `SessionRevoked`.
    """
    key = hashlib.sha256(token.encode()).digest()
    known = _verified.get(key) or _verify(token, key)
    if time.time() >= known.expires_at:
        raise TokenExpired
    snapshot = _snapshots.get(known.session_id)
    if snapshot is None or time.monotonic() - snapshot.read_at > settings.AUTHENTICATION_SNAPSHOT_SECONDS:
        snapshot = _read(known.session_id)
    seen, caller = known.adopted
    if snapshot is not seen:
        caller = _adopt(known, snapshot)
    return caller, known.claims


def forget_session(session_id: UUID) -> None:
    """Make this process read the session anew: now, and again when the transaction at hand has committed."""
    _snapshots.forget(session_id)
    transaction.on_commit(lambda: _snapshots.forget(session_id))


def forget_everyone() -> None:
    """Make this process read every session anew: now, and again when the transaction at hand has committed."""
    _snapshots.clear()
    transaction.on_commit(_snapshots.clear)


def _verify(token: str, key: bytes) -> Verified:
    claims = verified_claims(token)
    try:
        known = Verified(
            claims=claims,
            session_id=UUID(claims["sid"]),
            expires_at=claims["exp"],
            authenticated_at=datetime.fromtimestamp(claims["auth_time"], UTC),
        )
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise InvalidToken from None
    _verified.put(key, known)
    return known


def _adopt(known: Verified, snapshot: Snapshot) -> Caller:
    """Raise what the snapshot refuses with; else make it the one that `known` answers from."""
    if snapshot.refusal is not None:
        raise snapshot.refusal
    caller = replace(snapshot.caller, authenticated_at=known.authenticated_at)
    known.adopted = (snapshot, caller)
    return caller


def _read(session_id: UUID) -> Snapshot:
    # The age counts from before the query: what is committed after this instant may be missing from its answer.
    read_at = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(_LIVE_CALLER, [session_id])
        row = cursor.fetchone()
    snapshot = Snapshot(read_at, refusal=SessionRevoked) if row is None else Snapshot(read_at, _caller(row, session_id))
    _snapshots.put(session_id, snapshot)
    return snapshot


def _caller(row: tuple[Any, ...], session_id: UUID) -> Caller:
    user_id, email, name, role, permissions, require_mfa, has_mfa, impersonated_by = row
    # An administrator in the user's place has shown their own second factor.
    must_enroll = impersonated_by is None and not has_mfa and demands_mfa(role, require_mfa)
    held = frozenset(json.loads(permissions))
    return Caller(
        user_id, email, name, role, held, session_id, must_enroll=must_enroll, impersonated_by=impersonated_by
    )
