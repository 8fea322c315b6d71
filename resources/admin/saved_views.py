"""Saved views as administrators see them: what people keep, and what they show to everyone."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from core.model_admin import ReadOnlyModelAdmin
from resources.models import SavedView


@admin.register(SavedView)
class SavedViewAdmin(ReadOnlyModelAdmin):
    """Views; they say what to look for, and what is found is what each reader may read."""

    list_display = ("name", "owner", "shared", "parameters", "kept", "updated_at")
    list_filter = ("shared", "updated_at")
    list_select_related = ("owner",)
    search_fields = ("name", "owner__email")
    search_help_text = "Part of a name, or of the owner's address"
    ordering = ("-id",)
    fields = (("name", "owner"), "shared", "question", ("created_at", "updated_at"))
    readonly_fields = ("question", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SavedView]:
        """Return the rows with the number of views that their owner keeps: counted for each row of the page."""
        others = SavedView.objects.filter(owner_id=OuterRef("owner_id")).order_by().values("owner_id")
        counted = Subquery(others.annotate(number=Count("pk")).values("number"), output_field=IntegerField())
        rows: QuerySet[SavedView] = super().get_queryset(request)
        return rows.annotate(number_of_views=Coalesce(counted, 0))

    @admin.display(description="parameters")
    def parameters(self, view: SavedView) -> int:
        return len(view.filters)

    @admin.display(description="views of the owner", ordering="number_of_views")
    def kept(self, view: SavedView) -> int:
        return int(view.number_of_views)  # type: ignore[attr-defined]  # annotated above

    @admin.display(description="asks")
    def question(self, view: SavedView) -> str:
        """Return the parameters as `GET /resources` takes them."""
        filters: dict[str, Any] = view.filters
        return urlencode(filters, doseq=True) or "everything"
