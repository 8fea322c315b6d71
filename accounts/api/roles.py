"""`/roles`, `/roles/{id}`, `/permissions`."""

from functools import partial
from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api.shapes import ROLE_EXAMPLE, PermissionShape, RoleShape, role_shape
from accounts.models import Role
from accounts.services import roles
from core.api.access import ANY_TOKEN, SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import created, no_content, success
from core.api.fields import NameField, PlainTextField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import PagedQuery, SortedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PreconditionFailed
from core.permissions import ADMIN, PERMISSIONS

_SORTS: Final = {"name": "name", "created_at": "created_at"}
_WRITE_EXAMPLE: Final = {name: ROLE_EXAMPLE[name] for name in ("name", "description", "permissions", "require_mfa")}


class RoleQuery(SortedQuery, PagedQuery):
    sortable = frozenset(_SORTS)


class RoleInput(StrictSerializer):
    """A role whole (POST, PUT) or in part (PATCH)."""

    ignored_fields = frozenset({"id", "created_at", "updated_at"})

    name = NameField(max_length=50)
    description = PlainTextField(max_length=500, allow_blank=True, default="")
    permissions = serializers.ListField(child=serializers.CharField(max_length=100), max_length=200, default=list)
    require_mfa = serializers.BooleanField(default=False)


RoleListQuery: Final = trimmed(RoleQuery, RoleShape)


class Roles(ApiView):
    access = {"GET": "read:role", "POST": ADMIN}
    token_scopes = {"GET": "read:role", "POST": ADMIN}

    @operation(
        "List roles",
        query=RoleListQuery,
        response=RoleShape,
        many=True,
        paginated=True,
        response_example=[ROLE_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(RoleListQuery, request)
        return paginate(Role.objects.all(), request, query, shape=role_shape, sorts=_SORTS, default_sort="name")

    @operation(
        "Create a role",
        description="`GET /permissions` lists the permissions there are. A new role permits nothing by itself.",
        request=RoleInput,
        response=RoleShape,
        status=201,
        request_example=_WRITE_EXAMPLE,
        response_example=ROLE_EXAMPLE,
        errors=(Conflict,),
        etag=True,
    )
    def post(self, request: Request) -> HttpResponse:
        role = roles.create_role(actor=self.caller, **parse(RoleInput, request))
        return created(role_shape(role), location=f"/api/v1/roles/{role.pk}", etag=etag(role.version))


class OneRole(ApiView):
    access = {"GET": "read:role", "PUT": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN}
    token_scopes = {"GET": "read:role", "PUT": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN}

    @operation("Show a role", response=RoleShape, response_example=ROLE_EXAMPLE, etag=True)
    def get(self, request: Request, role_id: int) -> HttpResponse:
        role = Role.objects.filter(pk=role_id).first()
        if role is None:
            raise NotFound
        return not_modified(request, role.version) or success(role_shape(role), headers={"ETag": etag(role.version)})

    @operation(
        "Replace a role",
        description="Holds within a second for everyone who has the role.",
        request=RoleInput,
        response=RoleShape,
        request_example=_WRITE_EXAMPLE,
        response_example=ROLE_EXAMPLE,
        errors=(Conflict, PreconditionFailed),
        etag=True,
    )
    def put(self, request: Request, role_id: int) -> HttpResponse:
        return self._change(request, role_id, parse(RoleInput, request))

    @operation(
        "Change a role",
        description="Holds within a second for everyone who has the role.",
        request=RoleInput,
        response=RoleShape,
        request_example={"permissions": ["read:resource"]},
        response_example={**ROLE_EXAMPLE, "permissions": ["read:resource"]},
        errors=(Conflict, PreconditionFailed),
        etag=True,
    )
    def patch(self, request: Request, role_id: int) -> HttpResponse:
        return self._change(request, role_id, parse(RoleInput, request, partial=True))

    @operation(
        "Delete a role",
        description="Only a role that nobody has.",
        status=204,
        errors=(Conflict, PreconditionFailed),
        etag=True,
    )
    def delete(self, request: Request, role_id: int) -> HttpResponse:
        roles.delete_role(actor=self.caller, role_id=role_id, check_version=partial(require_match, request))
        return no_content()

    def _change(self, request: Request, role_id: int, changes: dict[str, Any]) -> HttpResponse:
        check_version = partial(require_match, request)
        role = roles.change_role(actor=self.caller, role_id=role_id, changes=changes, check_version=check_version)
        return success(role_shape(role), headers={"ETag": etag(role.version)})


class Permissions(ApiView):
    access = {"GET": SIGNED_IN}
    token_scopes = {"GET": ANY_TOKEN}

    @operation(
        "List the permissions there are",
        response=PermissionShape,
        many=True,
        response_example=[{"name": "read:user", "description": PERMISSIONS["read:user"]}],
    )
    def get(self, request: Request) -> HttpResponse:
        return success([{"name": name, "description": text} for name, text in PERMISSIONS.items()])
