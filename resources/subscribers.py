"""What resources hear on the event log."""

from uuid import UUID

from core.events import subscriber
from core.models import Event
from resources.services import talk


@subscriber("resources.comments", "comment.created", "comment.updated")
def tell_of_comment(event: Event) -> None:
    """Tell those whom a comment mentions, and of a new one the owner; nobody hears of one comment twice."""
    talk.tell_of_comment(comment_id=UUID(event.subject_id), is_new=event.type == "comment.created")
