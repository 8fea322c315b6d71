"""Passkeys as staff see them: who signs in with what."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import Passkey
from core.model_admin import ReadOnlyModelAdmin


class BackedUpFilter(admin.SimpleListFilter):
    """Whether the key is on one thing only, and lost with it."""

    title = "backup"
    parameter_name = "backup"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("yes", "Backed up"), ("no", "On one device only")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Passkey]) -> QuerySet[Passkey]:
        return queryset.filter(backed_up=self.value() == "yes") if self.value() in {"yes", "no"} else queryset


@admin.register(Passkey)
class PasskeyAdmin(ReadOnlyModelAdmin):
    """Passkeys; who has lost theirs has all second factors reset on the page of users."""

    list_display = ("user", "name", "backed_up", "last_used_at", "created_at")
    list_filter = (BackedUpFilter,)
    list_select_related = ("user",)
    search_fields = ("user__email", "name")
    search_help_text = "Part of the address or of the passkey's name"
    ordering = ("-created_at",)
    fields = (
        ("user", "name"),
        ("backup_eligible", "backed_up", "sign_count"),
        ("aaguid", "transports", "credential_id"),
        ("last_used_at", "created_at", "updated_at"),
    )
