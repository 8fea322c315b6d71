"""Why somebody may, or may not, do something with a resource."""

from uuid import UUID

from accounts.models import User
from core.errors import NotFound, PermissionDenied, ValidationFailed
from core.permissions import Caller
from resources.access import Action, Asker, Holding, Level, Verdict, decide
from resources.models import Resource, ResourceQuerySet

_AUDIT = "read:audit"


def explain_access(*, actor: Caller, resource_id: UUID, action: Action, user_id: UUID | None = None) -> Verdict:
    """Return the verdict on `action`, with its reasons: on oneself, for who reads; on others, for who shares or audits.

    Raises `NotFound`, `NotAuthenticated`, `PermissionDenied`, and `ValidationFailed` for a user who is not there.
    """
    resources = Resource.objects.all() if actor.holds(_AUDIT) else Resource.objects.visible_to(actor)
    if user_id is None or user_id == actor.id:
        return _verdict(Resource.objects.visible_to(actor), resource_id, Asker.of(actor), action)
    _ = actor.own_id
    if not actor.holds(_AUDIT) and not _verdict(resources, resource_id, Asker.of(actor), Action.SHARE).allowed:
        raise PermissionDenied
    if not resources.filter(id=resource_id).exists():
        raise NotFound
    user = User.objects.select_related("role").filter(pk=user_id).first()
    if user is None:
        raise ValidationFailed.of("user", "does_not_exist", "There is no such user.")
    if not user.is_active:
        return Verdict(False, Level.NONE, would_need=("account:enabled",))
    return _verdict(resources, resource_id, Asker.of(Caller.of(user)), action)


def _verdict(resources: ResourceQuerySet, resource_id: UUID, asker: Asker, action: Action) -> Verdict:
    found = resources.with_share(asker).filter(id=resource_id).first()
    if found is None:
        raise NotFound
    share = Level(found.share)  # type: ignore[attr-defined]  # annotated by with_share
    return decide(asker, Holding(found.owner_id, found.type_key, found.visibility, share), action)
