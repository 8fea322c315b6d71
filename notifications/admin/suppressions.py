"""Staff's view of the suppression list: which addresses are mailed no longer, and why; mailing them again."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from core.model_admin import ReadOnlyModelAdmin, badge
from core.permissions import Caller
from notifications.models.suppressions import REASONS, SuppressedAddress
from notifications.services import suppression

_COLOURS: Final = {"bounce": "danger", "complaint": "warning"}


class ReasonFilter(admin.SimpleListFilter):
    """Why it is mailed no longer."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return list(REASONS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(reason=self.value()) if self.value() in REASONS else queryset


@admin.register(SuppressedAddress)
class SuppressedAddressAdmin(ReadOnlyModelAdmin):
    """Suppressed addresses; the role `admin` alone takes one off the list."""

    list_display = ("address", "reason_label", "detail", "created_at")
    list_filter = (ReasonFilter, "created_at")
    search_fields = ("address__istartswith",)
    search_help_text = "The beginning of an address"
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("id", "address", "reason_label", "detail", "created_at")
    readonly_fields = ("reason_label",)
    actions = ("mail_again",)

    @badge("reason", _COLOURS, ordering="reason")
    def reason_label(self, row: SuppressedAddress) -> str:
        return row.reason

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.change_suppressedaddress")

    @admin.action(description="Take off the list: mail again", permissions=["decide"])
    def mail_again(self, request: HttpRequest, queryset: QuerySet[SuppressedAddress]) -> None:
        wanted = list(queryset.values_list("pk", flat=True))
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
        number = suppression.mail_again(ids=wanted, actor=actor)
        messages.success(request, f"{number} of {len(wanted)} taken off the list.")
