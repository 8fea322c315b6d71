"""Staff's view of alerts: what is wrong now, and what was."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.model_admin import ReadOnlyModelAdmin
from notifications.models.alerts import Alert


class StandingFilter(admin.SimpleListFilter):
    """Whether it goes on."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("on", "Goes on"), ("over", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in {"on", "over"}:
            return queryset
        return queryset.filter(over_at__isnull=self.value() == "on")


@admin.register(Alert)
class AlertAdmin(ReadOnlyModelAdmin):
    list_display = ("title", "cause", "created_at", "over_at")
    list_filter = (StandingFilter, "created_at")
    search_fields = ("title", "cause")
    search_help_text = "Part of the title or the cause"
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("id", "title", "cause", "text", "created_at", "over_at")
