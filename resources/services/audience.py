"""Who of some people may read a resource at this moment, or write it: for messages, and for what binds others."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from accounts.models import User
from core.permissions import Caller
from resources.access import Action, Asker, Holding, Level, decide
from resources.models import Resource, Share

_Given = tuple[UUID | None, int | None, int]


def readers_among(resource: Resource, user_ids: Iterable[UUID]) -> list[User]:
    """Return those of the users who can sign in and may read the live resource, in two queries for any number."""
    return readers_of_each([resource], {resource.id: user_ids})[resource.id]


def readers_of_each(resources: Sequence[Resource], wanted: Mapping[UUID, Iterable[UUID]]) -> dict[UUID, list[User]]:
    """Return the same of each of the resources, whose ids lead to the users to ask about."""
    asked = {resource_id: set(user_ids) for resource_id, user_ids in wanted.items()}
    users = User.objects.filter(id__in=set[UUID]().union(*asked.values()), is_active=True)
    known = list(users.select_related("role").order_by("id"))
    shares = _shares_of(asked)
    return {
        resource.id: [
            user
            for user in known
            if user.id in asked.get(resource.id, ())
            and resource.deleted_at is None
            and _may(user, resource, shares.get(resource.id, ()), Action.READ)
        ]
        for resource in resources
    }


def writers_of_each(resources: Sequence[Resource], wanted: Mapping[UUID, Iterable[UUID]]) -> set[tuple[UUID, UUID]]:
    """Return which of the users may write which of the resources, as (resource, user); also of those who have gone."""
    users = User.all_objects.filter(id__in=set[UUID]().union(*wanted.values())).select_related("role")
    known = {user.id: user for user in users}
    shares = _shares_of(wanted)
    return {
        (resource.id, user_id)
        for resource in resources
        for user_id in wanted.get(resource.id, ())
        if _may(known[user_id], resource, shares.get(resource.id, ()), Action.WRITE)
    }


def _shares_of(resource_ids: Iterable[UUID]) -> dict[UUID, list[_Given]]:
    shares: dict[UUID, list[_Given]] = {}
    live = Share.objects.live().filter(resource_id__in=list(resource_ids))
    for resource_id, holder, role, access in live.values_list("resource_id", "user_id", "role_id", "access"):
        shares.setdefault(resource_id, []).append((holder, role, access))
    return shares


def _may(user: User, resource: Resource, shares: Sequence[_Given], action: Action) -> bool:
    reaching = [access for holder, role, access in shares if user.id == holder or user.role_id == role]
    share = Level(max(reaching, default=Level.NONE))
    holding = Holding(resource.owner_id, resource.type_key, resource.visibility, share)
    return decide(Asker.of(Caller.of(user)), holding, action).allowed
