"""Comments: said by who may comment, changed by their author, taken away by their author or whoever may delete."""

from collections.abc import Iterable
from uuid import UUID

from django.utils import timezone

from core.errors import Conflict, NotFound, PermissionDenied
from core.events import publish
from core.permissions import Caller
from core.transactions import atomic
from resources.access import Action, Asker
from resources.models import Comment, Resource
from resources.services.watching import followers_of
from resources.services.writing import Precondition, no_precondition, require


@atomic
def add_comment(*, actor: Caller, resource_id: UUID, body: str) -> Comment:
    """Say something about a resource; return the comment.

    Raises `NotFound` for a resource that the actor may not read, `PermissionDenied` for one on which they may not
    comment, `Conflict` where the type takes no comments.
    """
    resource = _readable(resource_id, actor)
    require(resource, Asker.of(actor), Action.COMMENT)
    if not resource.type.comments:
        raise Conflict("Resources of this type take no comments.")
    comment = Comment(resource=resource, author_id=actor.own_id, body=body)
    comment.save(force_insert=True)
    _publish("created", comment, actor, audience=followers_of(resource, actor=actor))
    return comment


@atomic
def edit_comment(
    *, actor: Caller, resource_id: UUID, comment_id: UUID, body: str, precondition: Precondition = no_precondition
) -> Comment:
    """Put other words in the place of the actor's own; return the comment. Raises what `add_comment` does."""
    resource = _readable(resource_id, actor)
    comment = _locked(resource, comment_id, precondition)
    if comment.author_id != actor.own_id:
        raise PermissionDenied("A comment is its author's to change.")
    require(resource, Asker.of(actor), Action.COMMENT)
    if comment.body == body:
        return comment
    _write(comment, body=body, edited_at=timezone.now())
    _publish("updated", comment, actor)
    return comment


@atomic
def delete_comment(
    *, actor: Caller, resource_id: UUID, comment_id: UUID, precondition: Precondition = no_precondition
) -> None:
    """Take the words of a comment away, one's own or as who may delete the resource; its place stays.

    Raises `NotFound` for what is not there (any more) or not to be seen, `PermissionDenied` for who only reads it.
    """
    resource = _readable(resource_id, actor)
    comment = _locked(resource, comment_id, precondition)
    if comment.author_id != actor.own_id:
        require(resource, Asker.of(actor), Action.DELETE)
    _write(comment, body="", deleted_at=timezone.now())
    _publish("deleted", comment, actor)


def _readable(resource_id: UUID, actor: Caller) -> Resource:
    """Return the resource with the actor's share and its type, not locked: people may talk all at once."""
    visible = Resource.objects.visible_to(actor).with_share(Asker.of(actor)).select_related("type")
    resource: Resource | None = visible.filter(id=resource_id).order_by().first()
    if resource is None:
        raise NotFound
    return resource


def _locked(resource: Resource, comment_id: UUID, precondition: Precondition) -> Comment:
    rows = Comment.objects.select_for_update(no_key=True).filter(resource=resource, deleted_at=None)
    comment = rows.filter(id=comment_id).first()
    if comment is None:
        raise NotFound
    precondition(comment.version)
    return comment


def _write(comment: Comment, **values: object) -> None:
    for name, value in values.items():
        setattr(comment, name, value)
    comment.version += 1
    comment.save(update_fields=[*values, "version"])


def _publish(verb: str, comment: Comment, actor: Caller, *, audience: Iterable[UUID] = ()) -> None:
    """Publish what became of the comment; its words are its author's, and never in the log."""
    data = {"resource": str(comment.resource_id), "version": comment.version}
    publish(f"comment.{verb}", subject=comment, actor=actor, data=data, audience=audience)
