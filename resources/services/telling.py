"""Who is told of transitions, transfers and shares. Asked in a worker, so of how things are by then."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from accounts.models import User
from core.models import Event
from core.ratelimit import take
from notifications.services import Announcement, News, notify, notify_sparingly
from resources.models import Resource, ResourceHistory, Share
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
    news = News(
        TRANSITIONED, context, subject=("resource", str(resource_id)), event_id=event_id, dedup_key=f"event:{event_id}"
    )
    # Who moves something to and fro without end fills nobody's mailbox.
    notify_sparingly(news, to=still_following(resource, audience), about=f"moved:{resource_id}")


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
    then = ResourceHistory.objects.filter(resource=resource, number=facts["version"]).first()
    if old is not None and new is not None and old.id != actor and then is not None:
        context = {"giver": giver, "resource": str(then.snapshot["name"]), "owner": new.name}
        _write(TRANSFERRED, old, context, event_id)


def _name_of(user_id: UUID | None) -> str:
    """Return who did it; nobody for what the system did."""
    return User.all_objects.filter(id=user_id).values_list("name", flat=True).first() or "" if user_id else ""


def _write(kind: str, user: User, context: Mapping[str, str], event_id: UUID) -> None:
    notify(News(kind, context, event_id=event_id, dedup_key=f"event:{event_id}"), to=[user.id])


def share_announcement(event: Event) -> Announcement | None:
    """Return what whoever was given a share by name is told; by mail not too often, or strangers could fill boxes."""
    share = Share.objects.live().filter(pk=event.subject_id, user__isnull=False).select_related("resource").first()
    if share is None or share.user_id is None:
        return None
    return Announcement(
        {"giver": _name_of(share.given_by_id), "resource": share.resource.name, "access": share.level.label},
        subject=("resource", str(share.resource_id)),
        to=[share.user_id],
        only_in_app=not take("mail", f"shared:{share.user_id}").allowed,
    )


def rejection_announcement(event: Event) -> Announcement | None:
    """Return what the owner of a file that was given out, or was about to be, is told when it is taken away."""
    code, _, found = str(event.payload.get("problem", "")).partition(": ")
    reasons = {
        "infected": f"The virus scanner found {found} in it.",
        "lost": "The storage has lost its content.",
        "damaged": "Its content in the storage is damaged.",
    }
    if code not in reasons:
        # Whoever completes an upload is answered why it was refused.
        return None
    return Announcement({"file": event.payload["name"], "reason": reasons[code]})
