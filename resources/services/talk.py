"""Who is told of a comment: whom it mentions, then the owner and who follows. Asked in a worker, so of how things are
by then."""

from typing import Final
from uuid import UUID

from accounts.models import User
from core.ratelimit import take
from notifications.services import send
from resources.mentions import for_people, named, picked
from resources.models import Comment, Resource, Share
from resources.services.audience import readers_among
from resources.services.watching import still_following

COMMENTED: Final = "resource.commented"
MENTIONED: Final = "resource.mentioned"

_MOST_NAMED: Final = 5_000
"""How many people at a resource are looked through for names."""

_EXCERPT: Final = 500


def tell_of_comment(*, comment_id: UUID, is_new: bool, audience: list[UUID]) -> None:
    """Write to whom the comment mentions and, of a new one, to those of the audience who follow the resource still.

    Nobody is told twice, its author never.
    """
    comment = Comment.objects.select_related("resource", "author").filter(id=comment_id, deleted_at=None).first()
    if comment is None or comment.author is None:
        return
    mentioned = _mentioned(comment)
    for user in readers_among(comment.resource, mentioned):
        _tell(user, MENTIONED, comment)
    if is_new:
        for user in readers_among(comment.resource, still_following(comment.resource, audience) - set(mentioned)):
            _tell(user, COMMENTED, comment)


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


def _tell(user: User, kind: str, comment: Comment) -> None:
    """Write to the user once for each comment; one who talks without end fills nobody's mailbox."""
    if comment.author is None or user.id == comment.author_id:
        return
    if not take("mail", f"talk:{user.id}:{comment.resource_id}").allowed:
        return
    text = for_people(comment.body)
    excerpt = text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
    send(
        kind,
        to=user.id,
        address=user.email,
        name=user.name,
        locale=user.locale,
        context={"author": comment.author.name, "resource": comment.resource.name, "text": excerpt},
        dedup_key=f"comment:{comment.id}:{user.id}",
    )
