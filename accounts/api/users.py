"""`/users`, `/users/me`, `/users/{id}`, `/users/{id}/restore`."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api.fields import AddressField, LocaleField, PasswordField, TimeZoneField
from accounts.api.shapes import (
    USER_EXAMPLE,
    MeShape,
    SomeUserShape,
    UserShape,
    me_shape,
    public_user_shape,
    user_shape,
)
from accounts.models import User
from accounts.models.users import READ
from accounts.services import users
from accounts.services.users import NewUser
from core.api.access import ANY_TOKEN, SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match, tag_of
from core.api.envelope import created, no_content, success
from core.api.fields import NameField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import FieldsQuery, PagedQuery, SortedQuery, parse_query
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PermissionDenied, PreconditionFailed

_READ_ONLY: Final = frozenset(
    {"id", "avatar", "mfa_enabled", "last_login_at", "created_at", "updated_at", "permissions"}
)
_SORTS: Final = {"created_at": "created_at", "name": "name", "email": "email", "last_login_at": "last_login_at"}
_WRITE_EXAMPLE: Final = {
    name: USER_EXAMPLE[name] for name in ("email", "name", "role", "is_active", "email_verified", "locale", "time_zone")
}


class UserQuery(SortedQuery, FieldsQuery, PagedQuery):
    sortable = frozenset(_SORTS)
    selectable = frozenset(USER_EXAMPLE)

    email = AddressField(required=False, help_text="Exactly this address.")
    role = serializers.CharField(required=False, max_length=50, help_text="The name of a role.")
    is_active = serializers.BooleanField(required=False, allow_null=True, default=None)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    q = serializers.CharField(required=False, max_length=200, help_text="Part of the address or the name.")


class NewUserInput(StrictSerializer):
    email = AddressField()
    name = NameField(max_length=255)
    password = PasswordField(required=False)
    invite = serializers.BooleanField(default=False, help_text="Mail a link to set a password.")
    role = serializers.CharField(required=False, max_length=50)
    is_active = serializers.BooleanField(required=False)
    email_verified = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.pop("invite") == ("password" in attrs):
            raise serializers.ValidationError(
                {"password": [serializers.ErrorDetail("Give a password, or invite: true.", code="required")]}
            )
        return attrs


class UserInput(StrictSerializer):
    """The user whole (PUT) or in part (PATCH)."""

    ignored_fields = _READ_ONLY

    email = AddressField()
    name = NameField(max_length=255)
    role = serializers.CharField(max_length=50)
    is_active = serializers.BooleanField()
    email_verified = serializers.BooleanField()
    locale = LocaleField()
    time_zone = TimeZoneField()


class Users(ApiView):
    access = {"GET": "read:user", "POST": "write:user"}
    token_scopes = {"GET": "read:user", "POST": "write:user"}

    @operation(
        "List users",
        query=UserQuery,
        response=UserShape,
        many=True,
        paginated=True,
        response_example=[USER_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(UserQuery, request)
        found = _filtered(User.objects.visible_to(self.caller).select_related("role"), query)
        return paginate(found, request, query, shape=user_shape, sorts=_SORTS, default_sort="-created_at")

    @operation(
        "Create a user",
        description=(
            "With a password, or with `invite: true`, which mails a link to set one (7 days). "
            "`role`, `is_active` and `email_verified` need `admin`."
        ),
        request=NewUserInput,
        response=UserShape,
        status=201,
        request_example={"email": "olive@example.com", "name": "Olive Owner", "invite": True},
        response_example=USER_EXAMPLE,
        errors=(Conflict,),
        etag=True,
    )
    def post(self, request: Request) -> HttpResponse:
        user = users.create_user(actor=self.caller, new=NewUser(**parse(NewUserInput, request)))
        return created(user_shape(user), location=f"/api/v1/users/{user.pk}", etag=etag(_tag(user)))


class Me(ApiView):
    access = {"GET": SIGNED_IN}
    token_scopes = {"GET": ANY_TOKEN}
    open_before_enrollment = True

    @operation(
        "Show oneself",
        description=(
            "The user that the token speaks for, with everything their role permits; by a personal access token, with "
            "what of it the token's scopes leave."
        ),
        response=MeShape,
        response_example={**USER_EXAMPLE, "permissions": []},
        etag=True,
    )
    def get(self, request: Request) -> HttpResponse:
        user = _user(self.caller.own_id)
        version = f"{user.version}.{user.role.version}"
        if self.caller.token_id is not None:
            version += f".{self.caller.token_id}"
        shown = me_shape(user, self.caller.permissions)
        return not_modified(request, version) or success(shown, headers={"ETag": etag(version)})


class OneUser(ApiView):
    access = {"GET": SIGNED_IN, "PUT": SIGNED_IN, "PATCH": SIGNED_IN, "DELETE": "delete:user"}
    token_scopes = {"GET": "read:user", "PUT": "write:user", "PATCH": "write:user", "DELETE": "delete:user"}

    @operation(
        "Show a user",
        description="The whole user to themself and to callers with `read:user`; id, name and avatar to others.",
        response=SomeUserShape,
        response_example=USER_EXAMPLE,
        etag=True,
    )
    def get(self, request: Request, user_id: UUID) -> HttpResponse:
        user = _user(user_id)
        is_whole = self.caller.id == user.pk or self.caller.holds(READ)
        shape = user_shape if is_whole else public_user_shape
        version = _tag(user) if is_whole else f"{user.version}.public"
        return not_modified(request, version) or success(shape(user), headers={"ETag": etag(version)})

    @operation(
        "Replace a user",
        description=(
            "Needs `write:user`, or to be oneself. `email`, `role`, `is_active` and `email_verified` change only "
            "by the hand of an `admin`, and the last administrator stays one."
        ),
        request=UserInput,
        response=UserShape,
        request_example=_WRITE_EXAMPLE,
        response_example=USER_EXAMPLE,
        errors=(PermissionDenied, Conflict, PreconditionFailed),
        etag=True,
    )
    def put(self, request: Request, user_id: UUID) -> HttpResponse:
        return self._change(request, user_id, parse(UserInput, request))

    @operation(
        "Change a user",
        description="Like replacing, for the fields that are given.",
        request=UserInput,
        response=UserShape,
        request_example={"name": "Olive O. Owner"},
        response_example=USER_EXAMPLE,
        errors=(PermissionDenied, Conflict, PreconditionFailed),
        etag=True,
    )
    def patch(self, request: Request, user_id: UUID) -> HttpResponse:
        return self._change(request, user_id, parse(UserInput, request, partial=True))

    @operation(
        "Delete a user",
        description="The account can be restored; its sessions end and its address becomes free.",
        status=204,
        errors=(Conflict, PreconditionFailed),
        etag=True,
    )
    def delete(self, request: Request, user_id: UUID) -> HttpResponse:
        users.delete_user(actor=self.caller, user_id=user_id, check_version=partial(require_match, request))
        return no_content()

    def _change(self, request: Request, user_id: UUID, changes: dict[str, Any]) -> HttpResponse:
        check_version = partial(require_match, request)
        user = users.change_user(actor=self.caller, user_id=user_id, changes=changes, check_version=check_version)
        return success(user_shape(user), headers={"ETag": etag(_tag(user))})


class RestoreUser(ApiView):
    access = {"POST": "delete:user"}
    token_scopes = {"POST": "delete:user"}

    @operation(
        "Restore a deleted user",
        response=UserShape,
        response_example=USER_EXAMPLE,
        errors=(Conflict,),
        etag=True,
    )
    def post(self, request: Request, user_id: UUID) -> HttpResponse:
        user = users.restore_user(actor=self.caller, user_id=user_id)
        return success(user_shape(user), headers={"ETag": etag(_tag(user))})


def _tag(user: User) -> str:
    """Return the version, and after it what the role is called where that has changed since."""
    return tag_of(user.version, user.role.name) if user.role.updated_at > user.updated_at else f"{user.version}"


def _user(user_id: UUID) -> User:
    user = User.objects.select_related("role").filter(pk=user_id).first()
    if user is None:
        raise NotFound
    return user


def _filtered(found: QuerySet[User], query: dict[str, Any]) -> QuerySet[User]:
    filters = {
        "email": query.get("email"),
        "role__name": query.get("role"),
        "is_active": query["is_active"],
        "created_at__gt": query.get("created_after"),
        "created_at__lt": query.get("created_before"),
    }
    found = found.filter(**{path: value for path, value in filters.items() if value is not None})
    return found.matching(query["q"]) if "q" in query else found  # type: ignore[attr-defined]  # a UserQuerySet
