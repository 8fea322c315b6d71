"""Personal access tokens: made by their owner, ended by them, by staff, or with the account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from accounts.models import ApiToken, Session, User
from accounts.services.administration import refuse_more_than_held
from accounts.services.mails import origin, tell
from accounts.services.sessions import locked_owner, require_recent_sign_in
from accounts.token_identity import forget_api_token
from accounts.tokens import API_PREFIX, digest
from core.crypto import random_token
from core.errors import Conflict, Detail, NotFound, ValidationFailed
from core.events import publish
from core.permissions import PERMISSIONS, Caller
from core.transactions import atomic

OWN_THINGS: Final = frozenset({"read:resource", "write:resource", "delete:resource"})
"""Scopes that anyone may give: to somebody whose role lacks the permission they mean their own things."""

PREFIX_LENGTH: Final = 9
"""How much of a token is shown: `nk_` and six characters, of 43."""

KEPT_AFTER_END: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """A token that was made, and its secret, which is kept nowhere."""

    row: ApiToken
    secret: str


@atomic
def create_api_token(
    *, actor: Caller, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> NewApiToken:
    """Make a token that may do what `scopes` say and its owner may, until `expires_at` (the longest life if None).

    Raises `ReauthenticationRequired`, `ValidationFailed` (unknown or unheld scopes, a wrong end) and `Conflict` when
    there are as many as one may have.
    """
    require_recent_sign_in(actor)
    _refuse_wrong_scopes(actor, scopes)
    ends_at = _end(expires_at)
    # The lock makes the count below hold when two are made at once.
    user = locked_owner(actor)
    _refuse_too_many(user)
    secret = random_token(API_PREFIX)
    row = ApiToken.objects.create(
        user=user,
        name=name,
        token=digest(secret),
        prefix=secret[:PREFIX_LENGTH],
        scopes=sorted(set(scopes)),
        has_mfa=_is_of_two_factors(actor),
        expires_at=ends_at,
    )
    row.refresh_from_db(fields=["created_at"])
    after = {"name": name, "prefix": row.prefix, "scopes": row.scopes, "expires_at": ends_at.isoformat()}
    publish("api_token.created", subject=row, actor=actor, data={"after": after}, audience=[user.pk])
    tell(
        user,
        "account.api_token_created",
        token_name=name,
        scopes=", ".join(row.scopes),
        expires_on=f"{ends_at:%Y-%m-%d}",
        **origin(),
    )
    return NewApiToken(row, secret)


@atomic
def revoke_api_token(*, actor: Caller, token_id: UUID) -> None:
    """End one of the actor's own tokens; raises `NotFound` for any other."""
    token = ApiToken.objects.unrevoked().select_for_update().filter(pk=token_id, user_id=actor.own_id).first()
    if token is None:
        raise NotFound
    _revoke(token, actor=actor, reason="revoked")


@atomic
def revoke_api_token_of(*, actor: Caller, token_id: UUID) -> None:
    """End one of somebody's tokens, for staff; raises `NotFound` or `PermissionDenied`."""
    tokens = ApiToken.objects.unrevoked().select_for_update(of=("self",)).select_related("user__role")
    token = tokens.filter(pk=token_id).first()
    if token is None:
        raise NotFound
    refuse_more_than_held(actor, token.user.permission_set)
    _revoke(token, actor=actor, reason="revoked_by_staff")


@atomic
def end_api_tokens(*, user_id: UUID, actor: Caller, reason: str) -> int:
    """End every token of the user; return how many."""
    tokens = list(ApiToken.objects.unrevoked().select_for_update().filter(user_id=user_id).order_by("pk"))
    for token in tokens:
        _revoke(token, actor=actor, reason=reason)
    return len(tokens)


def purge_api_tokens() -> int:
    """Delete the tokens that ended three months ago or more; return how many."""
    long_ago = datetime.now(UTC) - KEPT_AFTER_END
    ended = ApiToken.objects.filter(expires_at__lt=long_ago) | ApiToken.objects.filter(revoked_at__lt=long_ago)
    return ended.delete()[0]


def _refuse_wrong_scopes(actor: Caller, scopes: Sequence[str]) -> None:
    details = []
    for index, scope in enumerate(scopes):
        if scope not in PERMISSIONS:
            details.append(Detail(f"scopes.{index}", "unknown_scope", f"There is no scope {scope[:60]!r}."))
        elif scope not in OWN_THINGS and not actor.holds(scope):
            details.append(Detail(f"scopes.{index}", "not_held", f"You may not {scope} yourself."))
    if details:
        raise ValidationFailed(details=details)


def _end(wanted: datetime | None) -> datetime:
    now = datetime.now(UTC)
    latest = now + timedelta(days=settings.API_TOKEN_MAX_DAYS)
    if wanted is None:
        return latest
    if wanted <= now:
        raise ValidationFailed.of("expires_at", "past", "Give a moment in the future.")
    if wanted > latest:
        message = f"A token serves {settings.API_TOKEN_MAX_DAYS} days at most."
        raise ValidationFailed.of("expires_at", "too_late", message)
    return wanted


def _refuse_too_many(user: User) -> None:
    if ApiToken.objects.live().filter(user=user).count() >= settings.API_TOKENS_PER_USER:
        raise Conflict(f"You have {settings.API_TOKENS_PER_USER} tokens; end one first.")


def _is_of_two_factors(actor: Caller) -> bool:
    session = actor.session_id
    return session is not None and Session.objects.filter(pk=session, amr__contains=["mfa"]).exists()


def _revoke(token: ApiToken, *, actor: Caller, reason: str) -> None:
    token.revoked_at = datetime.now(UTC)
    token.revoke_reason = reason
    token.save(update_fields=["revoked_at", "revoke_reason"])
    data = {"reason": reason, "name": token.name, "prefix": token.prefix}
    publish("api_token.revoked", subject=token, actor=actor, data=data, audience=[token.user_id])
    forget_api_token(token.token)
