"""What resources hold about a person, and what becomes of it when the person is gone.

What was theirs alone (private, shared with nobody) goes, as does what lies in their bin. What others may
read is not theirs alone any more: it stays, and its owner is "Deleted user". The history that they wrote
in it stays too, under that name. Their comments keep their places and lose their words and their author.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from accounts.models import User
from core.permissions import Caller
from core.personal_data import Erasure, PersonalFile, erases_personal_data, exports_personal_data, rows_of
from resources.access import Asker
from resources.keywords.field_rules import hidden_by, is_hidden, without
from resources.keywords.sealing import opened
from resources.models import (
    Comment,
    File,
    FileState,
    FileVariant,
    FileVersion,
    Resource,
    ResourceFile,
    ResourceHistory,
    ResourceType,
    ResourceVersion,
    SavedView,
    Share,
    Watch,
)
from resources.visibility import Visibility

_RESOURCE = (
    "id",
    "type_id",
    "name",
    "description",
    "status",
    "visibility",
    "data",
    "tags",
    "external_id",
    "version",
    "created_at",
    "updated_at",
    "deleted_at",
)
_FILE = (
    "file_id",
    "number",
    "name",
    "content_type",
    "size",
    "sha256",
    "width",
    "height",
    "state",
    "created_at",
)
_SHARE = (
    *("id", "resource_id", "user_id", "role__name", "access", "expires_at", "given_by_id", "created_at"),
    *("link", "has_password", "link_max_uses", "link_uses"),
)
_COMMENT = ("id", "resource_id", "body", "created_at", "edited_at", "deleted_at")
_TABLES = ("resources", "resource_versions", "shares", "files", "comments", "watches", "saved_views")


@exports_personal_data("resources", tables=_TABLES)
def export(user_id: UUID) -> Iterator[PersonalFile]:
    """Yield the person's resources with their history, what they wrote elsewhere, and the shares from and to them."""
    yield PersonalFile(
        "resources/resources.json",
        _as_they_read(user_id, rows_of(Resource.all_objects.filter(owner_id=user_id), *_RESOURCE)),
        about="What you keep here, with what lies in the bin.",
    )
    history = ResourceHistory.objects.of(Resource.all_objects.filter(owner_id=user_id))
    yield PersonalFile(
        "resources/history.json",
        _as_they_read(
            user_id,
            rows_of(history, "resource_id", "number", "action", "actor_id", "changed", "snapshot", "created_at"),
        ),
        about="Every change of what you keep here.",
    )
    # What is not written yet is by the owner.
    elsewhere = ResourceVersion.objects.filter(actor_id=user_id).exclude(resource__owner_id=user_id)
    yield PersonalFile(
        "resources/contributions.json",
        rows_of(elsewhere, "resource_id", "number", "action", "changed", "created_at"),
        about="What you changed of other people's.",
    )
    shares = Share.objects.filter(Q(user_id=user_id) | Q(given_by_id=user_id)).annotate(
        link=ExpressionWrapper(Q(link_digest__isnull=False), output_field=BooleanField()),
        has_password=ExpressionWrapper(~Q(link_password=""), output_field=BooleanField()),
    )
    yield PersonalFile(
        "resources/shares.json", rows_of(shares, *_SHARE), about="What you share, and what is shared with you."
    )
    comments = Comment.objects.filter(author_id=user_id)
    yield PersonalFile("resources/comments.json", rows_of(comments, *_COMMENT), about="What you said about resources.")
    watches = Watch.objects.filter(user_id=user_id)
    yield PersonalFile(
        "resources/watches.json", rows_of(watches, "id", "resource_id", "created_at"), about="What you follow."
    )
    views = SavedView.objects.filter(owner_id=user_id)
    columns = ("id", "name", "filters", "shared", "created_at", "updated_at")
    yield PersonalFile("resources/saved_views.json", rows_of(views, *columns), about="Your saved views.")
    yield from _files(user_id)


def _as_they_read(user_id: UUID, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield records of the person, or their versions, opened and without what field rules hide from their owner."""
    asker = Asker.of(Caller.of(User.objects.get(pk=user_id)))
    rules = dict(ResourceType.objects.filter(field_rules__isnull=False).values_list("key", "field_rules"))
    for row in rows:
        state = row.get("snapshot", row)
        hidden = hidden_by(asker, rules.get(state.get("type_id", state.get("type"))), owns=True)
        state["data"] = without(opened(state["data"], row.get("resource_id", row.get("id"))), hidden)
        if "changed" in row:
            row["changed"] = [path for path in row["changed"] if not is_hidden(path, hidden)]
        yield row


def _files(user_id: UUID) -> Iterator[PersonalFile]:
    versions = FileVersion.objects.filter(file__owner_id=user_id)
    yield PersonalFile("resources/files.json", rows_of(versions, *_FILE), about="Your files, with every version.")
    attached = ResourceFile.objects.filter(file__owner_id=user_id)
    yield PersonalFile(
        "resources/attachments.json",
        rows_of(attached, "file_id", "resource_id", "slot", "created_at"),
        about="Which resources have your files.",
    )
    # What nobody has looked through yet leaves here no sooner than anywhere else.
    stored = versions.filter(state=FileState.READY).order_by("pk")
    for file_id, number, name, key in stored.values_list("file_id", "number", "name", "key"):
        yield PersonalFile(f"resources/files/{file_id}/{number}/{name}", stored=key, about="A file of yours.")


@erases_personal_data("resources", tables=_TABLES)
def erase(erasure: Erasure) -> None:
    """Destroy what was the person's alone, with its history and files; take back shares, and what they said."""
    erasure.delete(Share.objects.filter(user_id=erasure.user_id))
    # A link opens only while its giver is there to answer for it.
    erasure.delete(Share.objects.filter(given_by_id=erasure.user_id, link_digest__isnull=False))
    erasure.delete(Watch.objects.filter(user_id=erasure.user_id))
    erasure.delete(SavedView.objects.filter(owner_id=erasure.user_id))
    comments = Comment.objects.filter(author_id=erasure.user_id)
    erasure.blank(comments, author=None, body="", deleted_at=Coalesce("deleted_at", Now()))
    erasure.delete(_theirs_alone(erasure.user_id))
    # A file that somebody else's resource still has stays, as the resource does.
    unattached = File.objects.filter(owner_id=erasure.user_id, attachments__isnull=True)
    for key in FileVersion.objects.filter(file__in=unattached).values_list("key", flat=True):
        erasure.forget_file(key)
    for key in FileVariant.objects.filter(version__file__in=unattached).values_list("key", flat=True):
        erasure.forget_file(key)
    erasure.delete(unattached)


def _theirs_alone(user_id: UUID) -> QuerySet[Resource]:
    shared = Exists(Share.objects.filter(resource_id=OuterRef("pk")))
    owned = Resource.all_objects.filter(owner_id=user_id)
    found: QuerySet[Resource] = owned.filter(Q(deleted_at__isnull=False) | (Q(visibility=Visibility.PRIVATE) & ~shared))
    return found
