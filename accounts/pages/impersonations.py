"""Who has acted as whom, as staff see it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.models import Impersonation
from accounts.services import impersonation
from core.model_admin import ReadOnlyModelAdmin, badge
from core.permissions import ADMIN, Caller


class StayFilter(admin.SimpleListFilter):
    """Whether it goes on."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("present", "Going on"), ("past", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Impersonation]) -> QuerySet[Impersonation]:
        present = queryset.filter(ended_at=None, until__gt=Now())
        if self.value() == "present":
            return present
        return queryset.exclude(pk__in=present.values("pk")) if self.value() == "past" else queryset


@admin.register(Impersonation)
class ImpersonationAdmin(ReadOnlyModelAdmin):
    """Who has acted as whom, when and why; all one can do is end it."""

    list_display = ("created_at", "administrator", "user", "reason", "until", "ended_at", "state_label")
    list_filter = (StayFilter,)
    list_select_related = ("administrator", "user")
    search_fields = ("user__email", "administrator__email", "reason")
    search_help_text = "Part of either address or of the reason"
    ordering = ("-created_at",)
    actions = ("end",)
    fields = (("administrator", "user"), "reason", ("created_at", "until", "ended_at"), ("state_label", "end_reason"))
    readonly_fields = ("created_at", "state_label")

    @badge("state", {"going on": "warning", "over": "primary"})
    def state_label(self, stay: Impersonation) -> str:
        return "going on" if stay.ended_at is None and stay.until > datetime.now(UTC) else "over"

    def has_end_permission(self, request: HttpRequest) -> bool:
        return _actor(request).holds(ADMIN)

    @admin.action(description="End", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Impersonation]) -> None:
        actor = _actor(request)
        self.for_each(
            request,
            queryset.filter(ended_at=None).order_by("pk"),
            lambda stay: impersonation.end_impersonation(actor=actor, impersonation_id=stay.pk),
            done="{} ended.",
        )


def _actor(request: HttpRequest) -> Caller:
    return Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
