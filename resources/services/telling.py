"""Who is told of transitions and transfers. Asked in a worker, so of how things are by then."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from accounts.models import User
from core.ratelimit import take
from notifications.services import send
from resources.models import Resource, ResourceVersion
from resources.services.audience import readers_among
from resources.services.watching import still_following

TRANSITIONED: Final = "resource.transitioned"
TRANSFERRED: Final = "resource.transferred"


def tell_of_transition(
    *, event_id: UUID, resource_id: UUID, actor: UUID | None, facts: Mapping[str, Any], audience: list[UUID]
) -> None:
    """Write to those of the audience who follow the resource still, and may still read it."""
    resource = Resource.objects.filter(id=resource_id).first()
    if resource is None or not {"name", "from", "to"} <= facts.keys():
        return
    moved = {"transition": str(facts["name"]), "before": str(facts["from"]), "after": str(facts["to"])}
    context = {"author": _name_of(actor), "resource": resource.name, **moved}
    for user in readers_among(resource, still_following(resource, audience)):
        # Who moves something to and fro without end fills nobody's mailbox.
        if take("mail", f"moved:{user.id}:{resource_id}").allowed:
            _write(TRANSITIONED, user, context, event_id)


def tell_of_transfer(*, event_id: UUID, resource_id: UUID, actor: UUID | None, facts: Mapping[str, Any]) -> None:
    """Write to the new owner, and to the old one unless they did it themself."""
    resource = Resource.objects.filter(id=resource_id).first()
    if resource is None or not {"from", "to", "version"} <= facts.keys():
        return
    old, new = (User.objects.filter(id=facts[side], is_active=True).first() for side in ("from", "to"))
    giver = _name_of(actor)
    if new is not None and new.id == resource.owner_id and new.id != actor:
        _write(TRANSFERRED, new, {"giver": giver, "resource": resource.name}, event_id)
    # What it is called by now is not for who may not read it any more.
    then = ResourceVersion.objects.filter(resource=resource, number=facts["version"]).first()
    if old is not None and new is not None and old.id != actor and then is not None:
        context = {"giver": giver, "resource": str(then.snapshot["name"]), "owner": new.name}
        _write(TRANSFERRED, old, context, event_id)


def _name_of(user_id: UUID | None) -> str:
    """Return who did it; nobody for what the system did."""
    return User.all_objects.filter(id=user_id).values_list("name", flat=True).first() or "" if user_id else ""


def _write(kind: str, user: User, context: Mapping[str, str], event_id: UUID) -> None:
    send(
        kind,
        to=user.id,
        address=user.email,
        name=user.name,
        locale=user.locale,
        context=context,
        dedup_key=f"{kind}:{event_id}:{user.id}",
    )
