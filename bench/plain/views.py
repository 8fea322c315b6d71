"""One ModelViewSet: the same fields, the same rows for each caller, the same search."""

from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db.models import F, Q, QuerySet
from rest_framework import filters, serializers, viewsets
from rest_framework.request import Request

from accounts.models import User
from resources.models import Resource


class OwnerSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "name"]


class ResourceSerializer(serializers.ModelSerializer[Resource]):
    owner = OwnerSerializer(read_only=True)
    access = serializers.SerializerMethodField()

    class Meta:
        model = Resource
        fields = [
            "id",
            "type",
            "name",
            "description",
            "status",
            "visibility",
            "data",
            "tags",
            "external_id",
            "owner",
            "version",
            "schema_version",
            "access",
            "created_at",
            "updated_at",
            "deleted_at",
        ]
        read_only_fields = ["status", "created_at", "updated_at", "deleted_at"]
        validators: list[Any] = []

    def get_access(self, resource: Resource) -> str:
        return "owner" if resource.owner_id == self.context["request"].user.id else "viewer"


class FullText(filters.BaseFilterBackend):
    """`?q=` over the search column, best first."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        text = request.query_params.get("q")
        if not text:
            return queryset
        query = SearchQuery(text, config="nook", search_type="websearch")
        found: QuerySet[Any] = (
            queryset.filter(search=query).annotate(rank=SearchRank(F("search"), query)).order_by("-rank", "-id")
        )
        return found


class ResourceViewSet(viewsets.ModelViewSet[Resource]):
    serializer_class = ResourceSerializer
    filter_backends = [FullText]

    def get_queryset(self) -> QuerySet[Resource]:
        readable = Q(owner=self.request.user) | Q(visibility__in=["internal", "public"])
        rows: QuerySet[Resource] = (
            Resource.objects.filter(readable).select_related("owner").order_by("-created_at", "-id")
        )
        return rows

    def perform_create(self, serializer: serializers.BaseSerializer[Resource]) -> None:
        serializer.save(owner=self.request.user)
