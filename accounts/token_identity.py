"""Who a personal access token speaks for: the state of the token and its owner, at most a second old.

Junk is refused by its checksum, without a query; a token that exists is remembered by its digest whether it serves
or not. One that was never issued is not remembered, so that nobody can fill the memory with inventions.
"""

import json
import time
from dataclasses import replace
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from accounts.identity import BoundedMemory, Snapshot
from accounts.models.roles import demands_mfa
from accounts.token_uses import note_use
from accounts.tokens import API_PREFIX, digest
from core.crypto import is_well_formed_token
from core.errors import InvalidToken, NotAuthenticated, TokenExpired
from core.permissions import Caller, limited

_LIMIT: Final = 20_000
# Written out, and on the primary, for the reasons that `accounts.identity` gives.
_CALLER: Final = """
    SELECT users.id, users.email, users.name, roles.name, roles.permissions, tokens.id, tokens.scopes,
           tokens.revoked_at IS NULL AND users.is_active AND users.deleted_at IS NULL,
           tokens.expires_at <= statement_timestamp(),
           coalesce(tokens.last_used_at < statement_timestamp() - interval '1 minute', true),
           roles.require_mfa, users.mfa_enabled AND tokens.has_mfa
    FROM api_tokens AS tokens JOIN users ON users.id = tokens.user_id JOIN roles ON roles.id = users.role_id
    WHERE tokens.token = %s
"""

_snapshots: Final = BoundedMemory[Snapshot](_LIMIT)


def is_api_token(token: str) -> bool:
    """Return whether the text claims to be a personal access token."""
    return token.startswith(f"{API_PREFIX}_")


def identify_api_token(token: str) -> Caller:
    """Return the caller that a personal access token speaks for: its owner, with what role and scopes both permit.

    Raises `InvalidToken` or `TokenExpired`.
    """
    if not is_well_formed_token(token, API_PREFIX):
        raise InvalidToken
    key = digest(token)
    snapshot = _snapshots.get(key)
    if snapshot is None or time.monotonic() - snapshot.read_at > settings.AUTHENTICATION_SNAPSHOT_SECONDS:
        snapshot = _read(key)
    if snapshot.refusal is not None:
        raise snapshot.refusal
    return snapshot.caller


def forget_api_token(key: str) -> None:
    """Make this process read the token of this digest anew: now, and again when the transaction has committed."""
    _snapshots.forget(key)
    transaction.on_commit(lambda: _snapshots.forget(key))


def _read(key: str) -> Snapshot:
    # The age counts from before the query: what is committed after this instant may be missing from its answer.
    read_at = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(_CALLER, [key])
        row = cursor.fetchone()
    if row is None:
        raise InvalidToken
    snapshot = _snapshot_of(row, read_at)
    _snapshots.put(key, snapshot)
    return snapshot


def _snapshot_of(row: tuple[Any, ...], read_at: float) -> Snapshot:
    user_id, email, name, role, permissions, token_id, scopes, serves, is_over, is_use_due, require_mfa, has_mfa = row
    refusal: type[NotAuthenticated] | None = TokenExpired if is_over else None
    if not serves:
        refusal = InvalidToken
    if refusal is not None:
        return Snapshot(read_at, refusal=refusal)
    if is_use_due:
        note_use(token_id)
    held, granted = frozenset(json.loads(permissions)), frozenset(json.loads(scopes))
    caller = Caller(user_id, email, name, role, limited(held, granted), token_id=token_id, scopes=granted)
    return Snapshot(read_at, replace(caller, must_enroll=not has_mfa and demands_mfa(role, require_mfa)))
