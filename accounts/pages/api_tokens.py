"""Personal access tokens as staff see them; all one can do is end them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.models import ApiToken
from accounts.services.api_tokens import revoke_api_token_of
from core.model_admin import ReadOnlyModelAdmin, badge
from core.permissions import Caller

_UNUSED: Final = timedelta(days=90)


class StateFilter(admin.SimpleListFilter):
    """Whether the token still serves, and whether anybody uses it."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("live", "Live"), ("unused", "Not used for 90 days"), ("expired", "Expired"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
        now = datetime.now(UTC)
        live = Q(revoked_at=None, expires_at__gt=now)
        conditions = {
            "live": live,
            "unused": live
            & (Q(last_used_at=None) | Q(last_used_at__lt=now - _UNUSED))
            & Q(created_at__lt=now - _UNUSED),
            "expired": Q(revoked_at=None, expires_at__lte=now),
            "revoked": Q(revoked_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyModelAdmin):
    """Who has given scripts what, and when these were last seen."""

    list_display = ("user", "name", "shown_prefix", "scope_list", "state_label", "last_used_at", "expires_at")
    list_filter = (StateFilter,)
    list_select_related = ("user",)
    search_fields = ("user__email", "name", "prefix")
    search_help_text = "Part of the owner's address, of the name, or of the token's first characters"
    ordering = ("-created_at",)
    actions = ("revoke",)
    fields = (
        ("user", "name"),
        ("shown_prefix", "scope_list", "has_mfa"),
        ("created_at", "last_used_at", "expires_at"),
        ("state_label", "revoked_at", "revoke_reason"),
    )
    readonly_fields = ("shown_prefix", "scope_list", "state_label")

    @badge("state", {"live": "success", "revoked": "danger", "expired": "warning"})
    def state_label(self, token: ApiToken) -> str:
        if token.revoked_at is not None:
            return "revoked"
        return "live" if token.expires_at > datetime.now(UTC) else "expired"

    @admin.display(description="token", ordering="prefix")
    def shown_prefix(self, token: ApiToken) -> str:
        return f"{token.prefix}…"

    @admin.display(description="scopes")
    def scope_list(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return Caller.of(request.user).holds("write:user")  # type: ignore[arg-type]  # the admin's users are ours

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # as above
        self.for_each(
            request,
            queryset.filter(revoked_at=None).order_by("pk"),
            lambda token: revoke_api_token_of(actor=actor, token_id=token.pk),
            done="{} tokens revoked.",
        )
