"""`/bookmarks`."""

from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from bookmarks import services
from bookmarks.models import Bookmark
from core.api.access import SIGNED_IN
from core.api.envelope import success
from core.api.jobs import JobShape, accepted_job
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import PagedQuery, parse_query
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict


class BookmarkInput(StrictSerializer):
    url = serializers.URLField(max_length=2000)


class ImportInput(StrictSerializer):
    urls = serializers.ListField(child=serializers.CharField(max_length=2000), min_length=1, max_length=10_000)


class BookmarkShape(BookmarkInput):
    id = serializers.UUIDField()


def shape(bookmark: Bookmark) -> dict[str, Any]:
    return {"id": bookmark.id, "url": bookmark.url}


class Bookmarks(ApiView):
    access = {"GET": SIGNED_IN, "POST": SIGNED_IN}
    token_scopes = {"GET": "read:resource", "POST": "write:resource"}

    @operation("List my bookmarks", query=PagedQuery, response=BookmarkShape, many=True, paginated=True)
    def get(self, request: Request) -> HttpResponse:
        mine = Bookmark.objects.visible_to(self.caller)
        query = parse_query(PagedQuery, request)
        return paginate(mine, request, query, shape=shape, sorts={"newest": "created_at"}, default_sort="-newest")

    @operation("Keep a bookmark", request=BookmarkInput, response=BookmarkShape, status=201, errors=(Conflict,))
    def post(self, request: Request) -> HttpResponse:
        bookmark = services.keep_bookmark(actor=self.caller, **parse(BookmarkInput, request))
        return success(shape(bookmark), status=201)


class BookmarkImport(ApiView):
    access = {"POST": SIGNED_IN}
    rate_limit = "bulk"

    @operation("Import bookmarks", request=ImportInput, response=JobShape, status=202)
    def post(self, request: Request) -> HttpResponse:
        return accepted_job(services.import_bookmarks(actor=self.caller, **parse(ImportInput, request)), self.caller)
