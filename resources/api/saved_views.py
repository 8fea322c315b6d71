"""`/saved-views` and `/saved-views/{id}`."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import created, no_content, success
from core.api.fields import NameField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import PagedQuery, SortedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PreconditionFailed
from resources.api.serializers import OwnerShape
from resources.api.viewed import refuse_bad_filters
from resources.appearance import is_unchanged
from resources.models import SavedView
from resources.services import saved_views

_SORTS: Final = {"name": "name", "created_at": "created_at"}
_MOST_FILTERS: Final = 50
_LONGEST_VALUE: Final = 1000
_LONGEST_NAME: Final = 300
_EXAMPLE: Final[dict[str, Any]] = {
    "id": "019a9c1e-7f00-7c4e-9d1b-2f6f3f0c8a13",
    "name": "Unpaid of client A",
    "filters": {"type": "invoice", "status": "sent", "tag": ["client-a"], "sort": "-created_at"},
    "shared": False,
    "owner": {"id": "019a9c1e-0000-7000-8000-000000000001", "name": "Olive Owner"},
    "created_at": "2026-11-21T09:30:00.000000Z",
    "updated_at": "2026-11-21T09:30:00.000000Z",
}
_INPUT_EXAMPLE: Final = {name: _EXAMPLE[name] for name in ("name", "filters", "shared")}


class FiltersField(serializers.DictField):
    """Parameters of a list by name: texts as in a query string, a list of texts for one that is repeated."""

    default_error_messages = {
        "text": "Give each parameter as text, or as a list of texts.",
        "too_many": "Give at most {most} parameters.",
        "too_long": "This is too long.",
    }

    def to_internal_value(self, data: Any) -> dict[str, str | list[str]]:
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        if len(data) > _MOST_FILTERS:
            self.fail("too_many", most=_MOST_FILTERS)
        for name, value in data.items():
            texts = value if isinstance(value, list) else [value]
            if not texts or len(texts) > _MOST_FILTERS or not all(isinstance(text, str) for text in texts):
                self.fail("text")
            if len(name) > _LONGEST_NAME or any(len(text) > _LONGEST_VALUE for text in texts):
                self.fail("too_long")
        return dict(data)


class SavedViewInput(StrictSerializer):
    """A view whole (POST, PUT) or in part (PATCH)."""

    ignored_fields = frozenset({"id", "owner", "created_at", "updated_at"})

    name = NameField(max_length=100)
    filters = FiltersField(help_text="Parameters of `GET /resources`, without `page`, `cursor` and `view`.")
    shared = serializers.BooleanField(default=False, help_text="Whether everyone who is signed in may use it.")


class SavedViewShape(serializers.Serializer[Any]):
    """A view; it holds parameters only, and each caller finds with it what they may read."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    filters = serializers.DictField()
    shared = serializers.BooleanField()
    owner = OwnerShape()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SavedViewQuery(SortedQuery, PagedQuery):
    """Which views."""

    sortable = frozenset(_SORTS)

    shared = serializers.BooleanField(required=False, default=None, allow_null=True)


SavedViewListQuery: Final = trimmed(SavedViewQuery, SavedViewShape)


class SavedViews(ApiView):
    """What one looks for again and again."""

    access = {"GET": SIGNED_IN, "POST": SIGNED_IN}
    token_scopes = {"GET": "read:resource", "POST": "write:resource"}

    @operation(
        "List saved views",
        description="The caller's own, and those that are shown to everyone; `shared=false` for the own private ones.",
        query=SavedViewListQuery,
        response=SavedViewShape,
        many=True,
        paginated=True,
        response_example=[_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(SavedViewListQuery, request)
        views = SavedView.objects.visible_to(self.caller).select_related("owner")
        if query["shared"] is not None:
            views = views.filter(shared=query["shared"])
        return paginate(views, request, query, shape=_shape, sorts=_SORTS, default_sort="name")

    @operation(
        "Save a view",
        description=(
            "`filters` are judged as the list itself judges them, now and whenever the view is used. `me` stays `me`: "
            "whoever uses the view. One's own names are unique; a person has 100 views at most (409)."
        ),
        request=SavedViewInput,
        response=SavedViewShape,
        status=201,
        request_example=_INPUT_EXAMPLE,
        response_example=_EXAMPLE,
        errors=(Conflict,),
        etag=True,
    )
    def post(self, request: Request) -> HttpResponse:
        values = parse(SavedViewInput, request)
        refuse_bad_filters(values["filters"], self.caller)
        view = saved_views.create_view(actor=self.caller, **values)
        return created(_shape(view), location=f"/api/v1/saved-views/{view.id}", etag=etag(view.version))


class OneSavedView(ApiView):
    """One view."""

    access = {"GET": SIGNED_IN, "PUT": SIGNED_IN, "PATCH": SIGNED_IN, "DELETE": SIGNED_IN}
    token_scopes = {
        "GET": "read:resource",
        "PUT": "write:resource",
        "PATCH": "write:resource",
        "DELETE": "delete:resource",
    }

    @operation("Read a saved view", response=SavedViewShape, response_example=_EXAMPLE, etag=True, errors=(NotFound,))
    def get(self, request: Request, view_id: UUID) -> HttpResponse:
        view = SavedView.objects.visible_to(self.caller).select_related("owner").filter(id=view_id).first()
        if view is None:
            raise NotFound
        known = not_modified(request, view.version)
        # The owner stands in it by their name.
        return known if known is not None and is_unchanged(view.updated_at, view.owner_id) else _answer(view)

    @operation(
        "Replace a saved view",
        description="For its owner; administrators may change what is shown to everyone.",
        request=SavedViewInput,
        response=SavedViewShape,
        request_example=_INPUT_EXAMPLE,
        response_example=_EXAMPLE,
        etag=True,
        errors=(NotFound, Conflict, PreconditionFailed),
    )
    def put(self, request: Request, view_id: UUID) -> HttpResponse:
        return self._change(request, view_id, parse(SavedViewInput, request))

    @operation(
        "Change a saved view",
        description="The named fields; `filters` are replaced whole.",
        request=SavedViewInput,
        response=SavedViewShape,
        request_example={"shared": True},
        response_example={**_EXAMPLE, "shared": True},
        etag=True,
        errors=(NotFound, Conflict, PreconditionFailed),
    )
    def patch(self, request: Request, view_id: UUID) -> HttpResponse:
        return self._change(request, view_id, parse(SavedViewInput, request, partial=True))

    @operation(
        "Delete a saved view",
        description="For its owner; administrators may delete what is shown to everyone.",
        status=204,
        etag=True,
        errors=(NotFound, PreconditionFailed),
    )
    def delete(self, request: Request, view_id: UUID) -> HttpResponse:
        precondition = partial(require_match, request)
        saved_views.delete_view(actor=self.caller, view_id=view_id, precondition=precondition)
        return no_content()

    def _change(self, request: Request, view_id: UUID, changes: dict[str, Any]) -> HttpResponse:
        if "filters" in changes:
            refuse_bad_filters(changes["filters"], self.caller)
        precondition = partial(require_match, request)
        return _answer(
            saved_views.change_view(actor=self.caller, view_id=view_id, changes=changes, precondition=precondition)
        )


def _answer(view: SavedView) -> HttpResponse:
    return success(_shape(view), headers={"ETag": etag(view.version)})


def _shape(view: SavedView) -> dict[str, Any]:
    shown = ("id", "name", "filters", "shared", "created_at", "updated_at")
    owner = {"id": view.owner_id, "name": view.owner.name}
    return {**{name: getattr(view, name) for name in shown}, "owner": owner}
