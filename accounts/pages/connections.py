"""Connections to providers as staff see them; all one can do is remove them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.models import Connection, User
from accounts.providers.table import name_of
from accounts.services.connections import disconnect_for
from core.model_admin import ReadOnlyModelAdmin
from core.permissions import Caller


def links_to_connections(user: User) -> SafeString:
    """Return each provider that signs the user in, as a link to its page."""
    rows = Connection.objects.filter(user_id=user.pk).order_by("created_at")
    links = ((_address(row), name_of(row.provider), row.email or row.subject) for row in rows)
    return format_html_join(", ", '<a href="{}">{} ({})</a>', links) or SafeString("none")


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyModelAdmin):
    """Which accounts at providers sign whom in."""

    list_display = ("user", "provider", "email", "last_used_at", "created_at")
    list_filter = ("provider",)
    list_select_related = ("user",)
    search_fields = ("user__email", "email", "=subject")
    search_help_text = "Part of either address, or the whole subject"
    ordering = ("-created_at",)
    actions = ("remove",)
    fields = ("user", ("provider", "email"), ("issuer", "subject"), ("created_at", "last_used_at"))

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return Caller.of(request.user).holds("write:user")  # type: ignore[arg-type]  # the admin's users are ours

    @admin.action(description="Remove", permissions=["remove"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # as above
        self.for_each(
            request,
            queryset.order_by("pk"),
            lambda connection: disconnect_for(actor=actor, connection_id=connection.pk),
            done="{} connections removed.",
        )


def _address(connection: Connection) -> str:
    return reverse("admin:accounts_connection_change", args=[connection.pk])
