"""Who may call an operation: a permission string, anyone signed in, or anyone at all."""

from enum import Enum
from typing import Final

from django.http import HttpRequest
from rest_framework.request import Request

from core.errors import NotAuthenticated, PermissionDenied
from core.permissions import ANONYMOUS, Caller


class Access(Enum):
    """What a method may demand instead of a permission string."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"


PUBLIC: Final = Access.PUBLIC
SIGNED_IN: Final = Access.SIGNED_IN


class TokenScope(Enum):
    """What a method may declare in `token_scopes` instead of a scope."""

    ANY = "any"


ANY_TOKEN: Final = TokenScope.ANY
"""Open to a personal access token of whatever scopes."""


def anonymous() -> Caller:
    """Return the caller of a request without credentials (`UNAUTHENTICATED_USER`)."""
    return ANONYMOUS


def caller_of(request: Request | HttpRequest) -> Caller:
    """Return who asks; a request that no view has authenticated is anonymous."""
    user: object = getattr(request, "user", ANONYMOUS)
    return user if isinstance(user, Caller) else ANONYMOUS


def require(access: str | Access, caller: Caller) -> None:
    """Let the caller pass, or raise `NotAuthenticated` or `PermissionDenied`."""
    if access is Access.PUBLIC:
        return
    if caller.is_anonymous:
        raise NotAuthenticated
    if isinstance(access, str) and not caller.holds(access):
        raise PermissionDenied


def require_scope(scope: str | TokenScope | None, caller: Caller) -> None:
    """Let a personal access token pass where its scopes say so, or raise `PermissionDenied`; sessions always pass.

    None stands for operations that are not for tokens at all.
    """
    if caller.token_id is None or scope is ANY_TOKEN:
        return
    if scope is None:
        raise PermissionDenied("This is not for personal access tokens.")
    if not caller.covers(scope):
        raise PermissionDenied(f"This token lacks the scope {scope}.")
