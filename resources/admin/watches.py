"""Who follows what, as administrators see it: why somebody is told of a resource, or is not."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from core.model_admin import ReadOnlyModelAdmin
from resources.models import Watch


class InBinFilter(admin.SimpleListFilter):
    """Whether the resource is in use or in the bin, where nothing is told of it."""

    title = "resource"
    parameter_name = "resource_is"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "In use"), ("binned", "In the bin")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = {"live": True, "binned": False}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(resource__deleted_at__isnull=wanted)


@admin.register(Watch)
class WatchAdmin(ReadOnlyModelAdmin):
    """Follows; whether a follower may still read is asked when something happens."""

    list_display = ("user", "resource", "resource_type", "followers", "created_at")
    list_filter = (InBinFilter, "created_at")
    list_select_related = ("user", "resource")
    search_fields = ("user__email",)
    search_help_text = "A follower's whole address, or the id of a resource"
    ordering = ("-id",)
    fields = (("user", "resource"), "created_at")
    readonly_fields = ("created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Watch]:
        """Return the rows with the number of all who follow the same resource: counted for each row of the page."""
        others = Watch.objects.filter(resource_id=OuterRef("resource_id")).order_by().values("resource_id")
        counted = Subquery(others.annotate(number=Count("pk")).values("number"), output_field=IntegerField())
        rows: QuerySet[Watch] = super().get_queryset(request)
        return rows.annotate(number_of_followers=Coalesce(counted, 0))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look the term up where an index answers: as a follower's address, or as an id."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(resource_id=UUID(term)), False
        except ValueError:
            return queryset.filter(user__email=term.lower()), False

    @admin.display(description="type")
    def resource_type(self, watch: Watch) -> str:
        return watch.resource.type_key

    @admin.display(description="followers of it", ordering="number_of_followers")
    def followers(self, watch: Watch) -> int:
        return int(watch.number_of_followers)  # type: ignore[attr-defined]  # annotated above
