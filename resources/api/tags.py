"""`/tags`: the tags in use."""

from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import PUBLIC
from core.api.envelope import success
from core.api.operations import operation
from core.api.query import DEFAULT_PER_PAGE, MAX_PER_PAGE, Query, parse_query
from core.api.views import ApiView
from resources.access import Asker
from resources.tags import MOST_COUNTED, tags_visible_to

_EXAMPLE: Final = [{"tag": "client-a", "count": 12}, {"tag": "client-b", "count": 100}]


class TagQuery(Query):
    """Which tags."""

    q = serializers.CharField(
        required=False, max_length=50, trim_whitespace=False, help_text="How they begin, in upper or lower case."
    )
    per_page = serializers.IntegerField(
        min_value=1, max_value=MAX_PER_PAGE, default=DEFAULT_PER_PAGE, help_text="How many at most, 1 to 100."
    )


class TagShape(serializers.Serializer[Any]):
    tag = serializers.CharField()
    count = serializers.IntegerField(
        help_text=f"Resources with it that the caller may read; {MOST_COUNTED} means so many or more."
    )


class Tags(ApiView):
    """The tags on what the caller may read."""

    access = {"GET": PUBLIC}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "List tags",
        description=(
            "The tags on resources that the caller may read, in alphabetical order: what a field for tags proposes "
            "while somebody types. Give more of the tag in `q` to get to those beyond the first ones."
        ),
        query=TagQuery,
        response=TagShape,
        many=True,
        response_example=_EXAMPLE,
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(TagQuery, request)
        found = tags_visible_to(Asker.of(self.caller), prefix=query.get("q", ""), limit=query["per_page"])
        return success([{"tag": one.tag, "count": one.count} for one in found])
