"""Resources as staff see them; every change is a call of the service that the API calls."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from core.admin import as_json
from core.model_admin import AuditedModelAdmin, badge
from core.permissions import Caller
from resources.admin.record_actions import RecordActions, do_each
from resources.admin.record_form import ResourceForm
from resources.admin.record_page import RecordPage
from resources.data_values import given
from resources.keywords.reading import readable_data
from resources.models import Resource, ResourceType
from resources.query import matches
from resources.schemas.workflows import states_of
from resources.services.bin import move_to_bin, restore_resource
from resources.services.records import patch_resource
from resources.visibility import Visibility


class PlaceFilter(admin.SimpleListFilter):
    """In use (unless said otherwise) or in the bin."""

    title = "place"
    parameter_name = "place"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("bin", "In the bin")]

    def choices(self, changelist: Any) -> Any:
        everything, *others = super().choices(changelist)
        return [{**everything, "display": "In use"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(deleted_at__isnull=self.value() != "bin")


class TypeFilter(admin.SimpleListFilter):
    """Which type, from the table of types."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return list(ResourceType.objects.order_by("name").values_list("key", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(type_id=self.value()) if self.value() else queryset


class StatusFilter(admin.SimpleListFilter):
    """Which state: those of the chosen type, or of all types; from the workflows and not from a DISTINCT."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        kinds = ResourceType.objects.order_by("key")
        if request.GET.get(TypeFilter.parameter_name):
            kinds = kinds.filter(key=request.GET[TypeFilter.parameter_name])
        states = [state for workflow in kinds.values_list("workflow", flat=True) for state in states_of(workflow)]
        return [(state, state) for state in dict.fromkeys(states)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(status=self.value()) if self.value() else queryset


class VisibilityFilter(admin.SimpleListFilter):
    """Who may read it."""

    title = "visibility"
    parameter_name = "visibility"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(choice.value, str(choice.label)) for choice in Visibility]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(visibility=self.value()) if self.value() in Visibility.values else queryset


@admin.register(Resource)
class ResourceAdmin(RecordPage, RecordActions, AuditedModelAdmin):
    """Resources, the bin included; their history is the event log's."""

    form = ResourceForm
    list_display = ("name", "type_key", "owner", "visibility_label", "status", "version", "updated_at")
    list_filter = (PlaceFilter, TypeFilter, StatusFilter, VisibilityFilter)
    search_fields = ("name",)
    search_help_text = "Words of the text, an owner's whole address, or an id"
    ordering = ("-created_at", "-id")
    actions = ("make_transitions", "transfer", "delete_them", "restore", "destroy")
    change_form_outer_before_template = "admin/resources/record_head.html"
    change_form_outer_after_template = "admin/resources/record_foot.html"
    formfield_overrides = {ArrayField: {"widget": UnfoldAdminTextInputWidget}}
    fields = (
        ("name", "visibility"),
        "description",
        "tags",
        ("type_key", "owner"),
        ("status", "external_id", "version"),
        "contents",
        "seen_version",
        ("created_at", "updated_at"),
        ("deleted_at", "deleted_by"),
    )
    readonly_fields = (
        "type_key",
        "owner",
        "status",
        "external_id",
        "version",
        "created_at",
        "updated_at",
        "deleted_at",
        "deleted_by",
    )

    def get_urls(self) -> list[Any]:
        return [*self.own_urls(), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *arguments: Any, obj: Any = None, **keywords: Any
    ) -> HttpResponse:
        context["record"] = None if obj is None else self.panels_of(request, obj)
        response: HttpResponse = super().render_change_form(request, context, *arguments, obj=obj, **keywords)
        return response

    def get_queryset(self, request: HttpRequest) -> QuerySet[Resource]:
        resources: QuerySet[Resource] = Resource.all_objects.select_related("owner", "type")
        return resources

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look the term up where an index answers: as an id, an owner's address, or words of the full text."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            return queryset.filter(owner__email=term.lower()), False
        try:
            return queryset.filter(id=UUID(term)), False
        except ValueError:
            return queryset.filter(matches(given({"q": term}), alike=False)), False

    @admin.display(description="type", ordering="type")
    def type_key(self, resource: Resource) -> str:
        return resource.type_key

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Resource | None:
        """Return the record with its data as whoever looks may read it."""
        found: Resource | None = super().get_object(request, object_id, from_field)
        if found is not None:
            found.readable = readable_data(Caller.of(request.user), found)  # type: ignore[arg-type,attr-defined]  # ours
        return found

    @admin.display(description="data")
    def contents(self, resource: Any) -> str:
        """Return what those read who may not write."""
        return as_json(resource.readable)

    @badge("visibility", {"private": "primary", "internal": "info", "public": "success"}, ordering="visibility")
    def visibility_label(self, resource: Resource) -> str:
        return resource.visibility

    def save_model(self, request: HttpRequest, obj: Resource, form: Any, change: bool) -> None:
        changes = form.changes()
        if changes:
            actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
            patch_resource(actor=actor, resource_id=obj.pk, changes=changes, precondition=form.precondition())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Resource | None = None) -> bool:
        return (obj is None or obj.deleted_at is None) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Resource | None = None) -> bool:
        """Leave Django's deletion out: ours is an action, and moves to the bin."""
        return False

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("resources.delete_resource")

    @admin.action(description="Move to the bin", permissions=["remove"])
    def delete_them(self, request: HttpRequest, queryset: QuerySet[Resource]) -> None:
        self._each(request, queryset, move_to_bin, done="{} resources moved to the bin.")

    @admin.action(description="Restore from the bin", permissions=["remove"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Resource]) -> None:
        self._each(request, queryset, restore_resource, done="{} resources restored.")

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Resource], verb: Callable[..., object], *, done: str
    ) -> None:
        do_each(self, request, queryset, lambda actor, row: verb(actor=actor, resource_id=row.pk), done=done)
