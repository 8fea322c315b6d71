"""`/resources/{id}/comments` and `/resources/{id}/comments/{comment_id}`."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.avatars import avatar_url
from core.api.access import PUBLIC, SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import created, no_content, success
from core.api.fields import PlainTextField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import PagedQuery, SortedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PreconditionFailed
from core.permissions import Caller
from resources.appearance import is_unchanged
from resources.models import MAX_BODY, Comment, Resource
from resources.services.comments import add_comment, delete_comment, edit_comment

_SORTS: Final = {"created_at": "created_at"}
_SHOWN: Final = ("id", "body", "created_at", "edited_at", "deleted_at")
_EXAMPLE: Final[dict[str, Any]] = {
    "id": "019a9c1e-6f00-7c4e-9d1b-2f6f3f0c8a12",
    "author": {"id": "019a9c1e-0000-7000-8000-000000000001", "name": "Olive Owner", "avatar": None},
    "body": "@[Sam Stranger](user:019a9c1e-0000-7000-8000-000000000002) is the total right?",
    "created_at": "2026-11-21T09:30:00.000000Z",
    "edited_at": None,
    "deleted_at": None,
}
_INPUT_EXAMPLE: Final = {"body": _EXAMPLE["body"]}


class CommentQuery(SortedQuery, PagedQuery):
    sortable = frozenset(_SORTS)


class CommentInput(StrictSerializer):
    """What is said."""

    ignored_fields = frozenset({"id", "author", "created_at", "edited_at", "deleted_at"})

    body = PlainTextField(
        max_length=MAX_BODY,
        help_text="Plain text. `@[Name](user:<id>)` mentions a person, as does `@Name` of somebody at the resource.",
    )


class AuthorShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    avatar = serializers.CharField(allow_null=True)


class CommentShape(serializers.Serializer[Any]):
    """A comment; a deleted one keeps its place and has no words."""

    id = serializers.UUIDField()
    author = AuthorShape(allow_null=True)
    body = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)


CommentListQuery: Final = trimmed(CommentQuery, CommentShape)


class Comments(ApiView):
    """What is said about a resource."""

    access = {"GET": PUBLIC, "POST": SIGNED_IN}
    token_scopes = {"GET": "read:resource", "POST": "write:resource"}

    @operation(
        "List the comments of a resource",
        description="Oldest first; `sort=-created_at` for the newest. Whoever may read the resource may read them.",
        query=CommentListQuery,
        response=CommentShape,
        many=True,
        paginated=True,
        response_example=[_EXAMPLE],
        errors=(NotFound,),
    )
    def get(self, request: Request, resource_id: UUID) -> HttpResponse:
        query = parse_query(CommentListQuery, request)
        comments = _comments_of(self.caller, resource_id)
        return paginate(comments, request, query, shape=_shape, sorts=_SORTS, default_sort="created_at")

    @operation(
        "Comment on a resource",
        description=(
            "Needs commenter access or more, and a type that takes comments (else 409). The owner and the people "
            "mentioned are told, if they may read the resource."
        ),
        request=CommentInput,
        response=CommentShape,
        status=201,
        request_example=_INPUT_EXAMPLE,
        response_example=_EXAMPLE,
        errors=(NotFound, Conflict),
        etag=True,
    )
    def post(self, request: Request, resource_id: UUID) -> HttpResponse:
        comment = add_comment(actor=self.caller, resource_id=resource_id, body=parse(CommentInput, request)["body"])
        location = f"/api/v1/resources/{resource_id}/comments/{comment.id}"
        return created(_shape(comment), location=location, etag=etag(comment.version))


class OneComment(ApiView):
    """One comment."""

    access = {"GET": PUBLIC, "PATCH": SIGNED_IN, "DELETE": SIGNED_IN}
    token_scopes = {"GET": "read:resource", "PATCH": "write:resource", "DELETE": "delete:resource"}

    @operation("Read a comment", response=CommentShape, response_example=_EXAMPLE, etag=True, errors=(NotFound,))
    def get(self, request: Request, resource_id: UUID, comment_id: UUID) -> HttpResponse:
        comment = _comments_of(self.caller, resource_id).filter(id=comment_id).first()
        if comment is None:
            raise NotFound
        known = not_modified(request, comment.version)
        # The author stands in it by their name.
        return known if known is not None and is_unchanged(comment.updated_at, comment.author_id) else _answer(comment)

    @operation(
        "Change a comment",
        description="For its author, while they may comment. Only people who were not mentioned before are told.",
        request=CommentInput,
        response=CommentShape,
        request_example={"body": "Is the total right?"},
        response_example={**_EXAMPLE, "body": "Is the total right?", "edited_at": "2026-11-21T09:31:00.000000Z"},
        etag=True,
        errors=(NotFound, PreconditionFailed),
    )
    def patch(self, request: Request, resource_id: UUID, comment_id: UUID) -> HttpResponse:
        comment = edit_comment(
            actor=self.caller,
            resource_id=resource_id,
            comment_id=comment_id,
            body=parse(CommentInput, request)["body"],
            precondition=partial(require_match, request),
        )
        return _answer(comment)

    @operation(
        "Delete a comment",
        description="For its author and for who may delete the resource. Its words go, its place stays.",
        status=204,
        etag=True,
        errors=(NotFound, PreconditionFailed),
    )
    def delete(self, request: Request, resource_id: UUID, comment_id: UUID) -> HttpResponse:
        precondition = partial(require_match, request)
        delete_comment(actor=self.caller, resource_id=resource_id, comment_id=comment_id, precondition=precondition)
        return no_content()


def _comments_of(caller: Caller, resource_id: UUID) -> QuerySet[Comment]:
    """Return the comments of a resource that the caller may read; `NotFound` for any other."""
    if not Resource.objects.visible_to(caller).filter(id=resource_id).exists():
        raise NotFound
    return Comment.objects.filter(resource_id=resource_id).select_related("author")


def _answer(comment: Comment) -> HttpResponse:
    return success(_shape(comment), headers={"ETag": etag(comment.version)})


def _shape(comment: Comment) -> dict[str, Any]:
    author = comment.author
    by = author and {"id": author.id, "name": author.name, "avatar": avatar_url(author.avatar)}
    return {**{name: getattr(comment, name) for name in _SHOWN}, "author": by}
