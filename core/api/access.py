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
