"""What resources hear on the event log."""

from uuid import UUID

from core.events import subscriber
from core.models import Event
from resources.services import talk, telling


@subscriber("resources.comments", "comment.created", "comment.updated")
def tell_of_comment(event: Event) -> None:
    """Tell those whom a comment mentions, and of a new one who follows; nobody hears of one comment twice."""
    talk.tell_of_comment(
        comment_id=UUID(event.subject_id), is_new=event.type == "comment.created", audience=event.audience
    )


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
