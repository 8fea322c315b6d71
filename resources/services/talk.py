"""Who is told of a comment: whom it mentions, then the owner and who follows. Asked in a worker, so of how things are
by then."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from accounts.models import User
from notifications.services import News, notify_sparingly
from resources.mentions import for_people, named, picked
from resources.models import Comment, Resource, Share
from resources.services.watching import still_following

COMMENTED: Final = "resource.commented"
MENTIONED: Final = "resource.mentioned"

_MOST_NAMED: Final = 5_000
"""How many people at a resource are looked through for names."""

_EXCERPT: Final = 500


def tell_of_comment(*, comment_id: UUID, is_new: bool, audience: list[UUID], event_id: UUID) -> None:
    """Write to whom the comment mentions and, of a new one, to those of the audience who follow the resource still.

    Nobody is told twice, its author never.
    """
    comment = Comment.objects.select_related("resource", "author").filter(id=comment_id, deleted_at=None).first()
    if comment is None or comment.author is None:
        return
    mentioned = _mentioned(comment)
    _tell(mentioned, MENTIONED, comment, event_id)
    if is_new:
        _tell(still_following(comment.resource, audience) - set(mentioned), COMMENTED, comment, event_id)


def _mentioned(comment: Comment) -> list[UUID]:
    """Return whom the comment names: anyone by id, by name only those who have to do with the resource."""
    return [*picked(comment.body), *(named(comment.body, _people_at(comment.resource)) if "@" in comment.body else ())]


def _people_at(resource: Resource) -> list[tuple[UUID, str]]:
    """Return id and name of the owner, of whom it is shared with by name, and of who has commented."""
    holders = Share.objects.live().filter(resource=resource, user__isnull=False).values("user_id")
    authors = Comment.objects.filter(resource=resource, author__isnull=False).values("author_id")
    owner = Resource.all_objects.filter(id=resource.id).values("owner_id")
    people = User.objects.filter(id__in=owner.union(holders, authors)).order_by("id")
    return list(people.values_list("id", "name")[:_MOST_NAMED])


def _tell(people: Collection[UUID], kind: str, comment: Comment, event_id: UUID) -> None:
    """Tell each of the people once for each comment; one who talks without end fills nobody's mailbox."""
    if comment.author is None:
        return
    text = for_people(comment.body)
    excerpt = text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
    news = News(
        kind,
        {"author": comment.author.name, "resource": comment.resource.name, "text": excerpt},
        subject=("resource", str(comment.resource_id)),
        event_id=event_id,
        dedup_key=f"comment:{comment.id}",
    )
    notify_sparingly(news, to=set(people) - {comment.author_id}, about=f"talk:{comment.resource_id}")
