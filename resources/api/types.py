"""`/resource-types`, `/resource-types/{key}`, `/resource-types/{key}/versions`."""

from functools import partial
from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import created, no_content, success
from core.api.fields import NameField, PlainTextField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import PagedQuery, SortedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PreconditionFailed
from core.permissions import ADMIN
from core.times import rfc3339
from resources.models import ResourceType, ResourceTypeVersion
from resources.services import types
from resources.services.types import NewType
from resources.visibility import Visibility

_SORTS: Final = {"key": "key", "name": "name", "created_at": "created_at"}
_SHOWN: Final = (
    *("key", "name", "description", "icon", "schema_version", "schema", "workflow"),
    *("default_visibility", "comments", "trash_days"),
)
EXAMPLE: Final[dict[str, Any]] = {
    "key": "invoice",
    "name": "Invoice",
    "description": "",
    "icon": "",
    "schema_version": 1,
    "schema": {
        "type": "object",
        "required": ["number", "total"],
        "additionalProperties": False,
        "properties": {"number": {"type": "string"}, "total": {"type": "number"}},
    },
    "workflow": {
        "initial": "draft",
        "states": ["draft", "sent", "paid"],
        "transitions": [
            {"name": "send", "from": ["draft"], "to": "sent", "require": ["total"], "allow": ["owner", "editor"]},
            {"name": "pay", "from": ["sent"], "to": "paid", "allow": ["role:moderator"]},
        ],
    },
    "default_visibility": "private",
    "comments": True,
    "trash_days": 30,
}
_INPUT_EXAMPLE: Final = {name: EXAMPLE[name] for name in ("key", "name", "schema", "workflow")}
_VERSION_EXAMPLE: Final = {
    "schema_version": 1,
    "schema": EXAMPLE["schema"],
    "created_at": "2026-11-21T09:30:00.000000Z",
}


class TypeQuery(SortedQuery, PagedQuery):
    sortable = frozenset(_SORTS)


class ChangedTypeInput(StrictSerializer):
    """A type whole (PUT) or in part (PATCH)."""

    ignored_fields = frozenset({"key", "schema_version"})

    name = NameField(max_length=100)
    description = PlainTextField(max_length=2000, allow_blank=True, default="")
    icon = NameField(max_length=50, allow_blank=True, default="")
    schema = serializers.JSONField(default=lambda: {"type": "object"})
    workflow = serializers.JSONField(allow_null=True, default=None)
    default_visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE.value)
    comments = serializers.BooleanField(default=True)
    trash_days = serializers.IntegerField(min_value=1, max_value=3650, default=30)
    force = serializers.BooleanField(
        default=False, help_text="Change the schema although live resources do not fit; they are judged when written."
    )


class NewTypeInput(ChangedTypeInput):
    """A new type. One that was read elsewhere can be made here: the version of its schema is counted anew."""

    ignored_fields = frozenset({"schema_version"})

    key = serializers.RegexField(
        r"\A[a-z][a-z0-9_-]{0,49}\Z", help_text="Lower case letters, digits, `_` and `-`; it never changes."
    )
    force = None  # type: ignore[assignment]  # DRF's way of leaving an inherited field out


class TypeShape(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    icon = serializers.CharField(allow_blank=True)
    schema_version = serializers.IntegerField()
    schema = serializers.DictField()
    workflow = serializers.DictField(allow_null=True)
    default_visibility = serializers.ChoiceField(choices=Visibility.choices)
    comments = serializers.BooleanField()
    trash_days = serializers.IntegerField()


class TypeVersionShape(serializers.Serializer[Any]):
    schema_version = serializers.IntegerField()
    schema = serializers.DictField()
    created_at = serializers.DateTimeField()


TypeListQuery: Final = trimmed(TypeQuery, TypeShape)


class ResourceTypes(ApiView):
    access = {"GET": SIGNED_IN, "POST": ADMIN}
    token_scopes = {"GET": "read:resource", "POST": ADMIN}

    @operation(
        "List resource types",
        query=TypeListQuery,
        response=TypeShape,
        many=True,
        paginated=True,
        response_example=[EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(TypeListQuery, request)
        return paginate(ResourceType.objects.all(), request, query, shape=type_shape, sorts=_SORTS, default_sort="key")

    @operation(
        "Create a resource type",
        description=(
            "`schema` is JSON Schema 2020-12 for `data`: an object, without recursion, with references within the "
            "document only and patterns that need no backtracking. Keywords of our own on its properties: "
            "`x-unique`, `x-ref` (a type, or `{type, on_delete: restrict|set_null|cascade}`), `x-encrypted`, "
            "`x-read` and `x-write` (lists of roles, or `owner`), `x-index`, `x-search` (`A` to `D`)."
        ),
        request=NewTypeInput,
        response=TypeShape,
        status=201,
        request_example=_INPUT_EXAMPLE,
        response_example=EXAMPLE,
        errors=(Conflict,),
        etag=True,
    )
    def post(self, request: Request) -> HttpResponse:
        kind = types.create_type(actor=self.caller, new=NewType(**parse(NewTypeInput, request)))
        return created(type_shape(kind), location=f"/api/v1/resource-types/{kind.key}", etag=etag(kind.version))


class OneResourceType(ApiView):
    access = {"GET": SIGNED_IN, "PUT": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN}
    token_scopes = {"GET": "read:resource", "PUT": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN}

    @operation("Read a resource type", response=TypeShape, response_example=EXAMPLE, etag=True, errors=(NotFound,))
    def get(self, request: Request, key: str) -> HttpResponse:
        kind = _type_of(key)
        return not_modified(request, kind.version) or success(type_shape(kind), headers={"ETag": etag(kind.version)})

    @operation(
        "Replace a resource type",
        description=(
            "A changed schema is a new version. Live resources that it would refuse are counted: 409 with the number "
            "and up to ten ids, unless `force` is true. The key stays."
        ),
        request=ChangedTypeInput,
        response=TypeShape,
        request_example=_INPUT_EXAMPLE,
        response_example=EXAMPLE,
        etag=True,
        errors=(NotFound, Conflict, PreconditionFailed),
    )
    def put(self, request: Request, key: str) -> HttpResponse:
        return self._change(request, key, parse(ChangedTypeInput, request))

    @operation(
        "Change a resource type",
        description="As replacing it, for the named fields alone.",
        request=ChangedTypeInput,
        response=TypeShape,
        request_example={"trash_days": 90},
        response_example={**EXAMPLE, "trash_days": 90},
        etag=True,
        errors=(NotFound, Conflict, PreconditionFailed),
    )
    def patch(self, request: Request, key: str) -> HttpResponse:
        return self._change(request, key, parse(ChangedTypeInput, request, partial=True))

    @operation(
        "Delete a resource type",
        description="Only a type that no resource has, not even in the bin.",
        status=204,
        etag=True,
        errors=(NotFound, Conflict, PreconditionFailed),
    )
    def delete(self, request: Request, key: str) -> HttpResponse:
        types.delete_type(actor=self.caller, key=key, precondition=partial(require_match, request))
        return no_content()

    def _change(self, request: Request, key: str, changes: dict[str, Any]) -> HttpResponse:
        force = changes.pop("force", False)
        precondition = partial(require_match, request)
        kind = types.change_type(actor=self.caller, key=key, changes=changes, force=force, precondition=precondition)
        return success(type_shape(kind), headers={"ETag": etag(kind.version)})


class TypeVersionQuery(SortedQuery, PagedQuery):
    sortable = frozenset({"schema_version"})


TypeVersionListQuery: Final = trimmed(TypeVersionQuery, TypeVersionShape)


class ResourceTypeVersions(ApiView):
    access = {"GET": SIGNED_IN}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "List the versions of a resource type's schema",
        description="Newest first. A resource's `schema_version` is the one that its last write was judged by.",
        query=TypeVersionListQuery,
        response=TypeVersionShape,
        many=True,
        paginated=True,
        response_example=[_VERSION_EXAMPLE],
        errors=(NotFound,),
    )
    def get(self, request: Request, key: str) -> HttpResponse:
        versions = ResourceTypeVersion.objects.filter(type=_type_of(key))
        query = parse_query(TypeVersionListQuery, request)
        return paginate(
            versions,
            request,
            query,
            shape=_version_shape,
            sorts={"schema_version": "number"},
            default_sort="-schema_version",
        )


def type_shape(kind: ResourceType) -> dict[str, Any]:
    """Return the type as the contract shows it."""
    return {name: getattr(kind, name) for name in _SHOWN}


def _version_shape(version: ResourceTypeVersion) -> dict[str, Any]:
    return {
        "schema_version": version.number,
        "schema": version.schema,
        "created_at": rfc3339(version.created_at),
    }


def _type_of(key: str) -> ResourceType:
    kind = ResourceType.objects.filter(key=key).first()
    if kind is None:
        raise NotFound
    return kind
