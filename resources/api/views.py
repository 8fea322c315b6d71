"""The endpoints of resources."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from core.api.access import PUBLIC, SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import no_content, success, success_json
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import PagedQuery, SortedQuery, parse_query, trimmed
from core.api.serializers import parse
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PreconditionFailed, ReauthenticationRequired
from resources.api import history, reading
from resources.api.parameters import DeletionQuery
from resources.api.serializers import (
    ChangedResourceInput,
    NewResourceInput,
    ResourceShape,
    VersionDetailShape,
    VersionShape,
)
from resources.api.viewed import ViewedListQuery, list_query
from resources.models import ITEM
from resources.parameters import ListQuery, ShownQuery
from resources.services import (
    Content,
    create_resource,
    destroy_resource,
    move_to_bin,
    patch_resource,
    replace_resource,
    restore_resource,
)

EXAMPLE: dict[str, Any] = {
    "id": "019a9c1e-5f00-7c4e-9d1b-2f6f3f0c8a11",
    "type": ITEM,
    "name": "March",
    "description": "",
    "status": "active",
    "visibility": "private",
    "data": {"price": 120.5},
    "tags": ["client-a"],
    "external_id": None,
    "owner": {"id": "019a9c1e-0000-7000-8000-000000000001", "name": "Olive Owner"},
    "version": 1,
    "schema_version": 1,
    "access": "owner",
    "created_at": "2026-11-21T09:30:00.000000Z",
    "updated_at": "2026-11-21T09:30:00.000000Z",
    "deleted_at": None,
}
_VERSION_EXAMPLE: dict[str, Any] = {
    "number": 2,
    "action": "updated",
    "actor": EXAMPLE["owner"],
    "changed": ["data.price"],
    "created_at": "2026-11-21T09:31:00.000000Z",
}
_INPUT_EXAMPLE = {"name": "March", "data": {"price": 120.5}, "tags": ["client-a"]}


class ResourceList(ApiView):
    """What the caller may read, and the making of more."""

    access = {"GET": PUBLIC, "POST": SIGNED_IN}
    token_scopes = {"GET": "read:resource", "POST": "write:resource"}

    @operation(
        "List resources",
        description=(
            "Everything the caller may read, newest first; with `q` the best matches first.\n\n"
            "With a `type`, filters over `data` may be given: `data.<path>=` or `data.<path>__<operator>=`. The "
            "operators are `gt`, `gte`, `lt`, `lte` (these need `x-index` in the schema), `ne`, `in` (values with "
            "commas between them), `contains` (a part of a text, or an element of a list) and `isnull` (`true` or "
            "`false`). Values are read as the schema says: `?type=invoice&data.number=2026-03&data.total__gte=100`. "
            "`sort=-data.<path>` needs `x-index` as well and stands alone; what lacks the value comes last."
        ),
        query=ViewedListQuery,
        response=ResourceShape,
        many=True,
        paginated=True,
        response_example=[EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        return reading.many(request, self.caller, list_query(request, self.caller))

    @operation(
        "Create a resource",
        description="Without `type` it is an `item`: any JSON object. The caller owns it.",
        request=NewResourceInput,
        response=ResourceShape,
        status=201,
        request_example=_INPUT_EXAMPLE,
        response_example=EXAMPLE,
        errors=(Conflict,),
        etag=True,
    )
    def post(self, request: Request) -> HttpResponse:
        content = parse(NewResourceInput, request)
        type_key = content.pop("type", ITEM)
        resource = create_resource(actor=self.caller, type_key=type_key, content=Content(**content))
        raw, version = reading.resource_json(self.caller, resource.id)
        headers = {"Location": f"/api/v1/resources/{resource.id}", "ETag": etag(version)}
        return success_json(raw, status=201, headers=headers)


class ResourceDetail(ApiView):
    """One resource."""

    access = {"GET": PUBLIC, "PUT": SIGNED_IN, "PATCH": SIGNED_IN, "DELETE": SIGNED_IN}
    token_scopes = {
        "GET": "read:resource",
        "PUT": "write:resource",
        "PATCH": "write:resource",
        "DELETE": "delete:resource",
    }

    @operation(
        "Read a resource",
        query=ShownQuery,
        response=ResourceShape,
        response_example=EXAMPLE,
        etag=True,
        errors=(NotFound,),
    )
    def get(self, request: Request, resource_id: UUID) -> HttpResponse:
        return reading.one(request, self.caller, resource_id, parse_query(ShownQuery, request))

    @operation(
        "Replace a resource",
        description=(
            "What is left out gets its default; fields that only the server writes are ignored. What the caller may "
            "not see or write of `data` stays as it is; 403 with its path where it is given."
        ),
        request=ChangedResourceInput,
        response=ResourceShape,
        request_example=_INPUT_EXAMPLE,
        response_example=EXAMPLE,
        etag=True,
        errors=(NotFound, Conflict),
    )
    def put(self, request: Request, resource_id: UUID) -> HttpResponse:
        content = parse(ChangedResourceInput, request)
        type_key = content.pop("type", None)
        replace_resource(
            actor=self.caller,
            resource_id=resource_id,
            content=Content(**content),
            type_key=type_key,
            precondition=partial(require_match, request),
        )
        return self._answer_with(resource_id)

    @operation(
        "Change a resource",
        description="`data` is merged (RFC 7396) into the newest state; the other fields are replaced.",
        request=ChangedResourceInput,
        response=ResourceShape,
        request_example={"data": {"price": 99.0, "discount": None}},
        response_example=EXAMPLE,
        etag=True,
        errors=(NotFound, Conflict),
    )
    def patch(self, request: Request, resource_id: UUID) -> HttpResponse:
        changes = parse(ChangedResourceInput, request, partial=True)
        patch_resource(
            actor=self.caller,
            resource_id=resource_id,
            changes=changes,
            precondition=partial(require_match, request),
        )
        return self._answer_with(resource_id)

    @operation(
        "Delete a resource",
        description=(
            "Moves it to the bin. `permanent=true` destroys it: the owner needs a recent sign-in for that. 409 while "
            "others refer to it."
        ),
        query=DeletionQuery,
        status=204,
        etag=True,
        errors=(NotFound, Conflict, ReauthenticationRequired),
    )
    def delete(self, request: Request, resource_id: UUID) -> HttpResponse:
        query = parse_query(DeletionQuery, request)
        remove = destroy_resource if query["permanent"] else move_to_bin
        remove(actor=self.caller, resource_id=resource_id, precondition=partial(require_match, request))
        return no_content()

    def _answer_with(self, resource_id: UUID) -> HttpResponse:
        raw, version = reading.resource_json(self.caller, resource_id)
        return success_json(raw, headers={"ETag": etag(version)})


class Trash(ApiView):
    """The bin."""

    access = {"GET": SIGNED_IN}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "List the bin",
        description="What the caller deleted or may bring back.",
        query=ListQuery,
        response=ResourceShape,
        many=True,
        paginated=True,
        response_example=[{**EXAMPLE, "deleted_at": "2026-11-21T10:00:00.000000Z"}],
    )
    def get(self, request: Request) -> HttpResponse:
        return reading.many(request, self.caller, parse_query(ListQuery, request), in_bin=True)


class Restoration(ApiView):
    """The way back from the bin."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "delete:resource"}

    @operation(
        "Restore a resource",
        description="Brings back what one deletion removed.",
        response=ResourceShape,
        response_example={**EXAMPLE, "version": 3},
        errors=(NotFound, Conflict, PreconditionFailed),
        etag=True,
    )
    def post(self, request: Request, resource_id: UUID) -> HttpResponse:
        precondition = partial(require_match, request)
        restore_resource(actor=self.caller, resource_id=resource_id, precondition=precondition)
        raw, version = reading.resource_json(self.caller, resource_id)
        return success_json(raw, headers={"ETag": etag(version)})


class VersionQuery(SortedQuery, PagedQuery):
    """The history, from either end."""

    sortable = frozenset({"number"})


VersionListQuery: Final = trimmed(VersionQuery, VersionShape)


class VersionList(ApiView):
    """The history of a resource."""

    access = {"GET": PUBLIC}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "List the versions of a resource",
        description="Every write, newest first: who, when, what changed.",
        query=VersionListQuery,
        response=VersionShape,
        many=True,
        paginated=True,
        response_example=[_VERSION_EXAMPLE],
        errors=(NotFound,),
    )
    def get(self, request: Request, resource_id: UUID) -> HttpResponse:
        query = parse_query(VersionListQuery, request)
        seen = history.history_of(self.caller, resource_id)
        versions = seen.versions.defer("snapshot")
        return paginate(versions, request, query, shape=seen.shape, sorts={"number": "number"}, default_sort="-number")


class VersionDetail(ApiView):
    """One version of a resource."""

    access = {"GET": PUBLIC}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "Read a version of a resource",
        description="The whole state after one write.",
        response=VersionDetailShape,
        response_example={**_VERSION_EXAMPLE, "snapshot": _INPUT_EXAMPLE},
        etag=True,
        errors=(NotFound,),
    )
    def get(self, request: Request, resource_id: UUID, number: int) -> HttpResponse:
        seen = history.history_of(self.caller, resource_id)
        version = seen.version(number)
        known = not_modified(request, version.number)
        if known is not None and seen.is_known(version):
            return known
        return success(seen.whole_shape(version), headers={"ETag": etag(version.number)})
