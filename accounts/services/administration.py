"""Two rules that hold whatever is done: there is always an administrator, and nobody reaches above themself."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings

from accounts.models import User
from accounts.models.users import NEVER_SET_UP
from core.errors import Conflict, PermissionDenied
from core.locks import NamedLock
from core.permissions import ADMIN, Caller

_LOCK: Final = NamedLock("nook.administration")


@contextmanager
def keeping_an_admin() -> Iterator[None]:
    """Run the block, in the transaction at hand, and raise `Conflict` if it took the last administrator.

    Whoever might take one waits here for the others, so two administrators cannot demote each other at once.
    """
    _LOCK.hold()
    had_one = _has_admin()
    yield
    if had_one and not _has_admin():
        raise Conflict("There has to be an administrator who can sign in; this is the last one.")


def refuse_more_than_held(actor: Caller, permissions: Iterable[str]) -> None:
    """Raise `PermissionDenied` when `permissions` hold something that the actor does not."""
    if not all(actor.holds(permission) for permission in permissions):
        raise PermissionDenied("This account (or role) holds more than you do.")


def _has_admin() -> bool:
    """Return whether somebody can sign in who holds `admin`; an invitation that nobody has taken up is nobody."""
    admins = User.objects.filter(is_active=True, role__permissions__contains=[ADMIN]).exclude(NEVER_SET_UP)
    if settings.EMAIL_VERIFICATION_REQUIRED:
        admins = admins.filter(email_verified=True)
    return admins.exists()
