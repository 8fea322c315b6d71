"""Letting somebody try again at once whom failed sign-ins make wait."""

from uuid import UUID

from accounts.models import User
from accounts.services.administration import refuse_more_than_held
from accounts.services.throttle import forget_all_failures
from core.errors import NotFound, PermissionDenied
from core.events import publish
from core.permissions import Caller
from core.transactions import atomic


@atomic
def unlock_user(*, actor: Caller, user_id: UUID) -> bool:
    """Forget every failed sign-in of the user; return whether there was any. Raises `PermissionDenied`, `NotFound`."""
    if not actor.holds("write:user"):
        raise PermissionDenied
    user = User.objects.locked().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    refuse_more_than_held(actor, user.permission_set)
    forgotten = forget_all_failures(user)
    if forgotten:
        publish("user.unlocked", subject=user, actor=actor, data={"counts": forgotten}, audience=[user.pk])
    return bool(forgotten)
