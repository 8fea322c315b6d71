"""Who of some people may read a resource at this moment: for messages that nobody else shall get."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from accounts.models import User
from core.permissions import Caller
from resources.access import Action, Asker, Holding, Level, decide
from resources.models import Resource, Share


def readers_among(resource: Resource, user_ids: Iterable[UUID]) -> list[User]:
    """Return those of the users who can sign in and may read the live resource, in two queries for any number."""
    users = User.objects.filter(id__in=set(user_ids), is_active=True).select_related("role").order_by("id")
    shares = list(Share.objects.live().filter(resource=resource).values_list("user_id", "role_id", "access"))
    return [user for user in users if resource.deleted_at is None and _may_read(user, resource, shares)]


def _may_read(user: User, resource: Resource, shares: Sequence[tuple[UUID | None, int | None, int]]) -> bool:
    reaching = [access for holder, role, access in shares if user.id == holder or user.role_id == role]
    share = Level(max(reaching, default=Level.NONE))
    holding = Holding(resource.owner_id, resource.type_key, resource.visibility, share)
    return decide(Asker.of(Caller.of(user)), holding, Action.READ).allowed
