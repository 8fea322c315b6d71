"""Following a resource: who does, and who of them is told of something that has just happened."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from core.errors import Conflict, NotFound
from core.events import publish
from core.permissions import Caller
from core.transactions import atomic
from resources.models import Resource, Watch
from resources.services.audience import readers_of_each

MOST_WATCHERS: Final = 1000
"""How many people follow one resource: all of them are looked at with each thing that happens to it."""


@atomic
def watch_resource(*, actor: Caller, resource_id: UUID) -> None:
    """Follow a resource; nothing happens where one does. Raises `NotFound`, and `Conflict` where too many do."""
    if not Resource.objects.visible_to(actor).filter(id=resource_id).exists():
        raise NotFound
    watches = Watch.objects.filter(resource_id=resource_id)
    if watches.filter(user_id=actor.own_id).exists():
        return
    if watches.count() >= MOST_WATCHERS:
        raise Conflict(f"A resource has {MOST_WATCHERS} followers at most.")
    watch, is_new = Watch.objects.get_or_create(resource_id=resource_id, user_id=actor.own_id)
    if is_new:
        _publish("created", watch, actor)


@atomic
def unwatch_resource(*, actor: Caller, resource_id: UUID) -> None:
    """Follow a resource no longer, also one that may not be read any more; nothing happens where one does not.

    Raises `NotFound` for what is neither followed nor readable.
    """
    mine = Watch.objects.select_for_update().filter(resource_id=resource_id, user_id=actor.own_id)
    watch = mine.first()
    if watch is not None:
        _publish("removed", watch, actor)
        watch.delete()
    elif not Resource.objects.visible_to(actor).filter(id=resource_id).exists():
        raise NotFound


def followers_of(resource: Resource, *, actor: Caller) -> list[UUID]:
    """Return the owner and those who follow the resource, as far as they may read it; nobody hears of their own acts.

    This goes into an event as its audience: whoever is not in it when the thing happens is not told, and those who
    are have to follow and to be readers still when they are.
    """
    return followers_of_each([resource], actor=actor)[resource.id]


def followers_of_each(resources: Sequence[Resource], *, actor: Caller) -> dict[UUID, list[UUID]]:
    """Return the same of each of the resources, by the same statements for any number of them."""
    own = {actor.id, actor.impersonated_by}
    watches = Watch.objects.filter(resource_id__in=[resource.id for resource in resources]).order_by()
    watching: dict[UUID, list[UUID]] = {}
    for resource_id, user_id in watches.values_list("resource_id", "user_id"):
        if user_id not in own:
            watching.setdefault(resource_id, []).append(user_id)
    readers = readers_of_each(resources, watching) if watching else {}
    followers = {resource.id: [user.id for user in readers.get(resource.id, ())] for resource in resources}
    for resource in resources:
        if resource.owner_id not in {*own, *followers[resource.id]}:
            followers[resource.id].append(resource.owner_id)
    return followers


def still_following(resource: Resource, audience: list[UUID]) -> set[UUID]:
    """Return those of the audience who follow the resource still; its owner always does."""
    watching = Watch.objects.filter(resource_id=resource.pk, user_id__in=audience).values_list("user_id", flat=True)
    return {*watching, resource.owner_id} & set(audience)


def _publish(verb: str, watch: Watch, actor: Caller) -> None:
    """Publish that somebody follows or not: for themself alone, what people read is nobody else's business."""
    data = {"resource": str(watch.resource_id)}
    publish(f"watch.{verb}", subject=watch, actor=actor, data=data, audience=[watch.user_id])
