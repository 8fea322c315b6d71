"""Resource types as staff see them; every change is a call of the service that the API calls."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied as PageDenied
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import path
from unfold.widgets import UnfoldAdminTextareaWidget

from core.model_admin import AuditedModelAdmin, CheckSeen, SeenForm
from core.permissions import Caller
from resources.admin.schema_editor import JsonTextField, SchemaEditor, as_answer, read_text
from resources.models import ITEM, Resource, ResourceType
from resources.services import followings, types
from resources.services.type_checks import TypeCheck, check_type
from resources.services.types import NewType

_BLANK = {"type": "object", "additionalProperties": False, "required": [], "properties": {}}


class TypeForm(SeenForm):
    """A type; its schema and workflow are JSON, and are judged by the service."""

    schema = JsonTextField(widget=SchemaEditor(rows=24), initial=lambda: _BLANK)
    workflow = JsonTextField(
        widget=SchemaEditor(rows=12), required=False, help_text="Empty for none: resources are `active`, always."
    )
    force = forms.BooleanField(
        required=False,
        label="Change the schema although resources do not fit",
        help_text="They stay readable and are judged at their next write.",
    )

    class Meta:
        model = ResourceType
        fields = (
            "key",
            "name",
            "description",
            "icon",
            "schema",
            "workflow",
            "default_visibility",
            "comments",
            "trash_days",
        )
        help_texts: ClassVar[dict[str, str]] = {
            "schema": (
                "x-unique: one live resource has the value. x-ref: the id of a resource of a type. x-encrypted: "
                "ciphertext at rest. x-read, x-write: the roles that may, or owner. x-index: filters and sorts. "
                "x-search: weight in full text, A to D."
            )
        }
        widgets: ClassVar[dict[str, Any]] = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 2})}


@admin.register(ResourceType)
class ResourceTypeAdmin(AuditedModelAdmin):
    """The types that resources can have."""

    form = TypeForm
    list_display = ("key", "name", "default_visibility", "schema_version", "resource_count", "trash_days", "updated_at")
    list_filter = ("default_visibility",)
    search_fields = ("key", "name")
    search_help_text = "Part of the key or the name"
    ordering = ("key",)
    readonly_fields = ("schema_version", "indexes", "yet_to_follow")
    fields = (
        ("key", "name"),
        ("icon", "default_visibility"),
        "description",
        "schema",
        "workflow",
        ("comments", "trash_days", "schema_version"),
        "indexes",
        "yet_to_follow",
        "force",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResourceType]:
        live = Resource.objects.filter(type_id=OuterRef("key")).order_by()
        counted = live.values("type_id").annotate(number=Count("pk")).values("number")
        return ResourceType.objects.annotate(
            resource_number=Coalesce(Subquery(counted, output_field=IntegerField()), 0)
        )

    @admin.display(description="indexes", empty_value="")
    def indexes(self, kind: ResourceType) -> str:
        """Return how far each index is that the schema asks for with `x-index`."""
        if kind._state.adding:
            return ""
        return ", ".join(f"{row.dotted}: {row.state}" for row in kind.indexes.order_by("path"))

    @admin.display(description="yet to follow the schema", empty_value="")
    def yet_to_follow(self, kind: ResourceType) -> str:
        """Return what of the type's records is still as another schema had it."""
        return "; ".join(str(row) for row in followings.told() if row.type_key == kind.key)

    @admin.display(description="resources")
    def resource_count(self, kind: Any) -> int:
        return int(kind.resource_number)

    def get_urls(self) -> list[Any]:
        check = self.admin_site.admin_view(self.check_view)
        return [path("check/", check, name="resources_resourcetype_check"), *super().get_urls()]

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """Say what would be said of a schema and a workflow if they were saved; for the editor, as somebody types."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PageDenied
        schema, in_schema = read_text("schema", request.POST.get("schema", ""))
        workflow, in_workflow = read_text("workflow", request.POST.get("workflow", ""))
        unread = (*in_schema, *in_workflow)
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
        key = request.POST.get("key", "")
        check = TypeCheck(unread) if unread else check_type(actor=actor, key=key, schema=schema, workflow=workflow)
        return JsonResponse(as_answer(check, workflow))

    def get_form(self, request: HttpRequest, obj: ResourceType | None = None, **options: Any) -> Any:
        form = super().get_form(request, obj, **options)
        if obj is not None and "schema" in form.base_fields:
            form.base_fields["schema"].widget.attrs["data-key"] = obj.key
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: ResourceType | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else (*self.readonly_fields, "key")

    def has_delete_permission(self, request: HttpRequest, obj: ResourceType | None = None) -> bool:
        return (obj is None or obj.key != ITEM) and super().has_delete_permission(request, obj)

    def create(self, actor: Caller, row: ResourceType, values: dict[str, Any]) -> ResourceType:
        values.pop("force")
        return types.create_type(actor=actor, new=NewType(**values))

    def change(self, actor: Caller, row: ResourceType, changes: dict[str, Any], check_seen: CheckSeen) -> None:
        force = changes.pop("force", False)
        types.change_type(actor=actor, key=row.key, changes=changes, force=force, precondition=check_seen)

    def remove(self, actor: Caller, row: ResourceType) -> None:
        types.delete_type(actor=actor, key=row.key)
