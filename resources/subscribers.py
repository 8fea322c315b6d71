"""What resources hear on the event log."""

from uuid import UUID

from core.events import subscriber
from core.models import Event
from notifications.readers import readers_of
from notifications.services import announces
from resources.models import Resource
from resources.services import talk, telling
from resources.services.audience import readers_among


@subscriber("resources.comments", "comment.created", "comment.updated")
def tell_of_comment(event: Event) -> None:
    """Tell those whom a comment mentions, and of a new one who follows; nobody hears of one comment twice."""
    talk.tell_of_comment(
        comment_id=UUID(event.subject_id),
        is_new=event.type == "comment.created",
        audience=event.audience,
        event_id=event.id,
    )


announces("share.created", "resource.shared")(telling.share_announcement)
announces("file.rejected", "file.rejected")(telling.rejection_announcement)


@readers_of("resource")
def readers(subject_id: str, user_ids: set[UUID]) -> set[UUID]:
    """Return those of the people who may read the resource at this moment."""
    resource = Resource.objects.filter(pk=subject_id).first()
    return set() if resource is None else {user.id for user in readers_among(resource, user_ids)}


@subscriber("resources.transitions", "resource.transitioned")
def tell_of_transition(event: Event) -> None:
    """Tell the owner and who follows that a resource is in another state."""
    telling.tell_of_transition(
        event_id=event.id,
        resource_id=UUID(event.subject_id),
        actor=event.on_behalf_of or event.actor,
        facts=event.payload,
        audience=event.audience,
    )


@subscriber("resources.transfers", "resource.transferred")
def tell_of_transfer(event: Event) -> None:
    """Tell both owners that a resource has changed hands."""
    telling.tell_of_transfer(
        event_id=event.id,
        resource_id=UUID(event.subject_id),
        actor=event.on_behalf_of or event.actor,
        facts=event.payload,
    )
