"""Resetting somebody's two-factor sign-in: for who has lost the phone, the recovery codes and the passkeys."""

from uuid import UUID

from accounts.models import User
from accounts.services import second_factors
from accounts.services.administration import refuse_more_than_held
from accounts.services.mfa_changes import announce_change
from accounts.services.sessions import require_recent_sign_in
from core.errors import Conflict, NotFound, PermissionDenied
from core.permissions import SYSTEM, Caller
from core.transactions import atomic


@atomic
def reset_second_factors(*, actor: Caller, user_id: UUID) -> None:
    """Take every second factor of somebody away and end their sessions; their password alone lets them in again.

    Needs `write:user` and a recent sign-in, of a person. Raises `NotFound`, `PermissionDenied` for oneself and for
    who holds more, and `Conflict` when there is nothing to reset.
    """
    if actor is not SYSTEM:
        require_recent_sign_in(actor)
    if not actor.holds("write:user"):
        raise PermissionDenied
    user = User.objects.locked().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    if user.pk == actor.id:
        raise PermissionDenied("Change your own second factors on the page about two-factor sign-in.")
    refuse_more_than_held(actor, user.permission_set)
    if not user.mfa_enabled:
        raise Conflict("This account has no two-factor sign-in.")
    second_factors.remove_all(user)
    announce_change(
        user, actor=actor, type="mfa.reset", change="Two-factor sign-in was reset by an administrator, and is off."
    )
