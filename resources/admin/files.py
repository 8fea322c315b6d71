"""Files as staff see them: whose they are, what they are, where they are attached; contents are not shown."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format

from core.model_admin import ReadOnlyModelAdmin, badge
from core.permissions import Caller
from core.scanner import is_configured
from resources.models import FileState, FileVariant, FileVersion, ResourceFile
from resources.services.files import delete_file
from resources.services.quarantine import INFECTED, scan_again

_KINDS = (("image/", "Pictures"), ("text/", "Texts"), ("video/", "Videos"), ("audio/", "Sounds"), ("other", "Others"))
_SIZES = (("small", "To 1 MiB"), ("medium", "1 to 10 MiB"), ("large", "Over 10 MiB"))
_MEBIBYTE = 1024 * 1024


class StateFilter(admin.SimpleListFilter):
    """How far the version is."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(state.value, state.value.capitalize()) for state in FileState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() in FileState.values else queryset


class KindFilter(admin.SimpleListFilter):
    """What the content is, roughly."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return _KINDS

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        starts = [start for start, _ in _KINDS if start != "other"]
        if self.value() == "other":
            for start in starts:
                queryset = queryset.exclude(content_type__startswith=start)
            return queryset
        return queryset.filter(content_type__startswith=self.value()) if self.value() in starts else queryset


class SizeFilter(admin.SimpleListFilter):
    """What it weighs, roughly."""

    title = "size"
    parameter_name = "size"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return _SIZES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "small":
            return queryset.filter(size__lte=_MEBIBYTE)
        if self.value() == "medium":
            return queryset.filter(size__gt=_MEBIBYTE, size__lte=10 * _MEBIBYTE)
        return queryset.filter(size__gt=10 * _MEBIBYTE) if self.value() == "large" else queryset


@admin.register(FileVersion)
class FileVersionAdmin(ReadOnlyModelAdmin):
    """Every version of every file."""

    list_display = (
        "name",
        "owner",
        "content_type",
        "weight",
        "state_label",
        "scan",
        "number",
        "attached",
        "pictures",
        "created_at",
    )
    list_filter = (StateFilter, KindFilter, SizeFilter)
    search_fields = ("name",)
    search_help_text = "The start of a name, an owner's whole address, or an id of a file or a resource"
    ordering = ("-created_at", "-id")
    list_select_related = ("file__owner",)
    actions = ("remove_them", "scan_them")
    fields = (
        ("name", "content_type"),
        ("owner", "attached_where"),
        ("weight", "width", "height"),
        ("state_label", "problem"),
        ("scan", "made_pictures"),
        ("number", "sha256"),
        ("created_at", "updated_at"),
    )
    readonly_fields = (
        "owner",
        "attached_where",
        "weight",
        "state_label",
        "scan",
        "made_pictures",
        "created_at",
        "updated_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[FileVersion]:
        attached = ResourceFile.objects.filter(file_id=OuterRef("file_id")).order_by().values("file_id")
        places = Coalesce(Subquery(attached.annotate(number=Count("pk")).values("number")), Value(0))
        made = FileVariant.objects.filter(version_id=OuterRef("pk")).exclude(key="").order_by().values("version_id")
        number = Coalesce(Subquery(made.annotate(number=Count("pk")).values("number")), Value(0))
        return FileVersion.objects.select_related("file__owner").annotate(places=places, number_of_pictures=number)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look the term up as an id, an owner's address, or the start of a name."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            return queryset.filter(file__owner__email=term.lower()), False
        try:
            number = UUID(term)
        except ValueError:
            return queryset.filter(name__istartswith=term), False
        at_resource = ResourceFile.objects.filter(resource_id=number).values("file_id")
        return queryset.filter(file_id__in=at_resource) | queryset.filter(file_id=number), False

    @admin.display(description="owner")
    def owner(self, version: FileVersion) -> str:
        return str(version.file.owner.email)

    @admin.display(description="size", ordering="size")
    def weight(self, version: FileVersion) -> str:
        return filesizeformat(version.size)

    @badge(
        "state",
        {"ready": "success", "quarantined": "warning", "pending": "info", "rejected": "danger"},
        ordering="state",
    )
    def state_label(self, version: FileVersion) -> str:
        return version.state

    @admin.display(description="attached to")
    def attached(self, version: FileVersion) -> int:
        places: int = version.places  # type: ignore[attr-defined]  # annotated above
        return places

    @admin.display(description="attached to")
    def attached_where(self, version: FileVersion) -> str:
        places = ResourceFile.objects.filter(file_id=version.file_id).select_related("resource").order_by("pk")
        return ", ".join(f"{place.resource.name} ({place.resource_id})" for place in places) or "nothing"

    @admin.display(description="scan", ordering="scanned_at")
    def scan(self, version: FileVersion) -> str:
        """Return what the virus scanner said last."""
        if version.scanned_at is None:
            return "waits" if version.state == FileState.QUARANTINED else "not scanned"
        found = version.problem if version.problem.startswith(INFECTED) else "clean"
        return f"{found} ({date_format(version.scanned_at, 'SHORT_DATETIME_FORMAT')})"

    @admin.display(description="pictures", ordering="number_of_pictures")
    def pictures(self, version: FileVersion) -> int:
        number: int = version.number_of_pictures  # type: ignore[attr-defined]  # annotated above
        return number

    @admin.display(description="pictures made of it")
    def made_pictures(self, version: FileVersion) -> str:
        made = version.variants.exclude(key="").order_by("form")
        return ", ".join(f"{row.form} ({filesizeformat(row.size)})" for row in made) or "none"

    @admin.action(description="Have them scanned again", permissions=["remove"])
    def scan_them(self, request: HttpRequest, queryset: QuerySet[FileVersion]) -> None:
        if not is_configured():
            self.message_user(request, "There is no scanner: CLAMD_URL is not set.", messages.ERROR)
            return
        number = scan_again(queryset.order_by())
        self.message_user(request, f"{number} contents will be scanned.")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("resources.delete_file")

    @admin.action(description="Remove the file, with all its versions", permissions=["remove"])
    def remove_them(self, request: HttpRequest, queryset: QuerySet[FileVersion]) -> None:
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
        rows = queryset.order_by("file_id").distinct("file_id")
        done = "{} files removed."
        self.for_each(request, rows, lambda row: delete_file(actor=actor, file_id=row.file_id), done=done)
