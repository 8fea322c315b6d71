"""Roles as staff see them; every change is a call of the service that the API calls."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.models import Role, User
from accounts.services import roles
from core.model_admin import AuditedModelAdmin, CheckSeen, SeenForm
from core.permissions import PERMISSIONS, Caller


class RoleForm(SeenForm):
    """A role; its permissions are chosen from the catalogue."""

    permissions = forms.MultipleChoiceField(
        choices=[(name, f"{name}: {text}") for name, text in PERMISSIONS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
    )

    class Meta:
        model = Role
        fields = ("name", "description", "permissions", "require_mfa")
        labels: ClassVar[dict[str, str]] = {"require_mfa": "Requires MFA"}


@admin.register(Role)
class RoleAdmin(AuditedModelAdmin):
    """Roles and what they permit."""

    form = RoleForm
    list_display = ("name", "description", "permission_list", "user_count", "requires_mfa")
    search_fields = ("name", "description")
    search_help_text = "Part of the name or the description"
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        people = User.objects.filter(role=OuterRef("pk")).order_by().values("role")
        counted = Subquery(people.annotate(number=Count("pk")).values("number"), output_field=IntegerField())
        return Role.objects.annotate(user_number=Coalesce(counted, 0))

    @admin.display(description="permissions")
    def permission_list(self, role: Role) -> str:
        return ", ".join(role.permissions) or "none"

    @admin.display(description="users", ordering="user_number")
    def user_count(self, role: Any) -> int:
        return int(role.user_number)

    @admin.display(description="requires MFA", boolean=True, ordering="require_mfa")
    def requires_mfa(self, role: Role) -> bool:
        return role.require_mfa

    def create(self, actor: Caller, row: Role, values: dict[str, Any]) -> Role:
        return roles.create_role(actor=actor, **values)

    def change(self, actor: Caller, row: Role, changes: dict[str, Any], check_seen: CheckSeen) -> None:
        roles.change_role(actor=actor, role_id=row.pk, changes=changes, check_version=check_seen)

    def remove(self, actor: Caller, row: Role) -> None:
        roles.delete_role(actor=actor, role_id=row.pk)
