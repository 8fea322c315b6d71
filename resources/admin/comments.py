"""Comments as staff see them: to read, and to take away what should not stand there."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.model_admin import ReadOnlyModelAdmin
from core.permissions import Caller
from resources.models import Comment
from resources.services.comments import delete_comment


class StateFilter(admin.SimpleListFilter):
    """Whether it was changed or deleted."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("edited", "Edited"), ("deleted", "Deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        column = {"edited": "edited_at", "deleted": "deleted_at"}.get(self.value() or "")
        return queryset.filter(**{f"{column}__isnull": False}) if column else queryset


@admin.register(Comment)
class CommentAdmin(ReadOnlyModelAdmin):
    """What was said about resources; only its author changes a comment."""

    list_display = ("excerpt", "author", "resource", "created_at", "edited_at", "deleted_at")
    list_filter = (StateFilter,)
    list_select_related = ("author", "resource")
    search_fields = ("author__email",)
    search_help_text = "An author's whole address, or the id of a comment or a resource"
    ordering = ("-id",)
    actions = ("delete_them",)
    fields = ("body", ("author", "resource"), ("created_at", "edited_at", "deleted_at"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look the term up where an index answers: as an author's address, or as an id."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            number = UUID(term)
        except ValueError:
            return queryset.filter(author__email=term.lower()), False
        return queryset.filter(id=number) | queryset.filter(resource_id=number), False

    @admin.display(description="comment")
    def excerpt(self, comment: Comment) -> str:
        return str(comment) or "(deleted)"

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("resources.delete_resource")

    @admin.action(description="Delete the words", permissions=["remove"])
    def delete_them(self, request: HttpRequest, queryset: QuerySet[Comment]) -> None:
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
        self.for_each(
            request,
            queryset.order_by("pk"),
            lambda comment: delete_comment(actor=actor, resource_id=comment.resource_id, comment_id=comment.pk),
            done="{} comments deleted.",
        )
