"""The indexes over data as staff see them: how far each is, and a second try for those that failed."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.model_admin import ReadOnlyModelAdmin, badge
from core.permissions import Caller
from resources.models import TypeIndex
from resources.services import indexes

_COLOURS = {"Ready": "success", "Building": "info", "Failed": "danger"}


@admin.register(TypeIndex)
class TypeIndexAdmin(ReadOnlyModelAdmin):
    """What `x-index` asks for; the schema of the type decides, a job builds."""

    list_display = ("dotted", "type", "measure", "state_shown", "error", "updated_at")
    list_filter = ("state", "measure")
    list_select_related = ("type",)
    search_fields = ("type__key", "path")
    search_help_text = "Part of a type's key or of a path"
    ordering = ("type__key", "path")
    actions = ("build_again",)
    fields = (("type", "dotted"), ("measure", "state"), "error", ("created_at", "updated_at"))
    readonly_fields = ("dotted", "created_at", "updated_at")

    @admin.display(description="path", ordering="path")
    def dotted(self, row: TypeIndex) -> str:
        return row.dotted

    @badge("state", _COLOURS, ordering="state")
    def state_shown(self, row: TypeIndex) -> str:
        return str(row.get_state_display())

    @admin.action(description="Build failed indexes again", permissions=["view"])
    def build_again(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
        number = indexes.build_again([row.pk for row in rows], actor=actor)
        self.message_user(request, f"{number} index(es) are being built again.")
