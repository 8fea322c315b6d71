"""`/resources/{id}/shares`: who else may do what with a resource."""

from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from accounts.avatars import avatar_url
from accounts.models import User
from core.api.access import SIGNED_IN
from core.api.envelope import created, no_content, success
from core.api.fields import EmailAddressField, NameField, SecretField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import CreatedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, NotFound
from resources.access import Level
from resources.api.serializers import ShareShape
from resources.models import Share
from resources.services import sharing
from resources.services.sharing import NewLink, NewShare

LEVELS: Final = {level.label: level for level in Level.shareable()}
_MOST_USES: Final = 2**31 - 1
_RECEIVERS: Final = ("user", "role", "link")

EXAMPLE: Final[dict[str, Any]] = {
    "id": "01a1fbd6-51c0-7d3a-9e4b-0f7a6c5d4e3f",
    "user": {"id": "01a1fbd6-0ada-777c-a2f4-7a27d1610d76", "name": "Ed Editor", "avatar": None},
    "role": None,
    "link": None,
    "access": "editor",
    "expires_at": None,
    "given_by": {"id": "019a9c1e-0000-7000-8000-000000000001", "name": "Olive Owner", "avatar": None},
    "live": True,
    "created_at": "2026-11-21T09:30:00.000000Z",
}
_LINK_EXAMPLE: Final = {
    **EXAMPLE,
    "user": None,
    "link": {"has_password": True, "max_uses": 10, "uses": 0},
    "access": "viewer",
    "expires_at": "2026-12-24T00:00:00.000000Z",
    "token": "nkl_4fQz1K6789abcdefghijklmnopqrstuvwxyzABCDEFG01234567",
    "url": "https://nook.example/shared?token=nkl_4fQz1K6789abcdefghijklmnopqrstuvwxyzABCDEFG01234567",
}


class UserReference(serializers.CharField):
    """A user's id, or an e-mail address."""

    default_error_messages = {"no_user": "Give the id of a user."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if "@" in text:
            return str(EmailAddressField().run_validation(text))
        try:
            return str(UUID(text))
        except ValueError:
            self.fail("no_user")


class LinkInput(StrictSerializer):
    """What a link asks for, and how often it opens."""

    ignored_fields = frozenset({"has_password", "uses"})

    password = SecretField(required=False, allow_null=True, min_length=8, max_length=128)
    max_uses = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=_MOST_USES)


class LevelField(serializers.ChoiceField):
    """The name of a level that can be shared."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=list(LEVELS), **kwargs)


class NewShareInput(StrictSerializer):
    """A share to be: exactly one of user, role and link."""

    user = UserReference(
        required=False,
        allow_null=True,
        max_length=255,
        help_text="A user's id; callers with `read:user` may give an e-mail address.",
    )
    role = NameField(required=False, allow_null=True, max_length=50, help_text="Name of a role: everyone who has it.")
    link = LinkInput(required=False, allow_null=True, help_text="Whoever has the address reads, without an account.")
    access = LevelField()
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in attrs.items() if name not in _RECEIVERS or value is not None}
        if len(given.keys() & set(_RECEIVERS)) != 1:
            raise ValidationError([ErrorDetail("Give exactly one of user, role and link.", code="one_receiver")])
        return given


class ChangedShareInput(StrictSerializer):
    """What of a share can be changed; whom it is for stays."""

    ignored_fields = frozenset({"id", "user", "role", "given_by", "live", "created_at"})

    access = LevelField(required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    link = LinkInput(required=False, allow_null=True)


class NewShareShape(ShareShape):
    """A share that was made."""

    token = serializers.CharField(required=False, help_text="Of a link; shown this once.")
    url = serializers.CharField(required=False, help_text="A page that opens the link; shown this once.")


ShareListQuery: Final = trimmed(CreatedQuery, ShareShape)


class Shares(ApiView):
    """The shares of a resource."""

    access = {"GET": SIGNED_IN, "POST": SIGNED_IN}
    token_scopes = {"GET": "read:resource", "POST": "write:resource"}
    keeps_secrets = frozenset({"POST"})

    @operation(
        "List the shares of a resource",
        description=(
            "For managers, the owner and callers with `read:audit`. `live` is false where a share gives nothing: it "
            "has expired, its openings are used up, or whoever gave it has lost the right to."
        ),
        query=ShareListQuery,
        response=ShareShape,
        many=True,
        paginated=True,
        response_example=[EXAMPLE],
        errors=(NotFound,),
    )
    def get(self, request: Request, resource_id: UUID) -> HttpResponse:
        return paginate(
            sharing.shares_of(actor=self.caller, resource_id=resource_id),
            request,
            parse_query(ShareListQuery, request),
            shape=share_shape,
            sorts={"created_at": "created_at"},
            default_sort="-created_at",
        )

    @operation(
        "Share a resource",
        description=(
            "Needs the level manager; nobody gives more than they hold. A link lets whoever has it read (`viewer`); "
            "its `token` and `url` are shown this once. A receiver who has a share already: 409 with its id."
        ),
        request=NewShareInput,
        response=NewShareShape,
        status=201,
        request_example={"link": {"password": "open sesame", "max_uses": 10}, "access": "viewer"},
        response_example=_LINK_EXAMPLE,
        errors=(NotFound, Conflict),
    )
    def post(self, request: Request, resource_id: UUID) -> HttpResponse:
        values = parse(NewShareInput, request)
        link = NewLink(**values.pop("link")) if "link" in values else None
        new = NewShare(LEVELS[values.pop("access")], link=link, **values)
        made = sharing.create_share(actor=self.caller, resource_id=resource_id, new=new)
        secret = {"token": made.secret, "url": link_address(made.secret)} if made.secret else {}
        location = f"/api/v1/resources/{resource_id}/shares/{made.row.pk}"
        return created({**share_shape(made.row), **secret}, location=location)


class OneShare(ApiView):
    """One share."""

    access = {"PATCH": SIGNED_IN, "DELETE": SIGNED_IN}
    token_scopes = {"PATCH": "write:resource", "DELETE": "delete:resource"}

    @operation(
        "Change a share",
        description=(
            "Needs the level manager. Whoever widens a share vouches for it from then on (`given_by`); nobody widens a "
            "share that they hold their own access by."
        ),
        request=ChangedShareInput,
        response=ShareShape,
        request_example={"access": "viewer", "expires_at": "2026-12-24T00:00:00Z"},
        response_example=EXAMPLE,
        errors=(NotFound, Conflict),
    )
    def patch(self, request: Request, resource_id: UUID, share_id: UUID) -> HttpResponse:
        changes = parse(ChangedShareInput, request, partial=True)
        changes |= changes.pop("link", None) or {}
        if "access" in changes:
            changes["access"] = LEVELS[changes["access"]]
        share = sharing.change_share(actor=self.caller, resource_id=resource_id, share_id=share_id, changes=changes)
        return success(share_shape(share))

    @operation(
        "Take a share back",
        description=(
            "With all that was given through it. A manager takes back any share, everybody else what they gave or what "
            "was given to them. It holds from the next request on, on every server."
        ),
        status=204,
        errors=(NotFound,),
    )
    def delete(self, request: Request, resource_id: UUID, share_id: UUID) -> HttpResponse:
        sharing.remove_share(actor=self.caller, resource_id=resource_id, share_id=share_id)
        return no_content()


def share_shape(share: Share) -> dict[str, Any]:
    """Return a share that carries `is_live` as managers see it."""
    link = {"has_password": bool(share.link_password), "max_uses": share.link_max_uses, "uses": share.link_uses}
    return {
        "id": share.pk,
        "user": _person(share.user) if share.user else None,
        "role": share.role.name if share.role else None,
        "link": link if share.is_link else None,
        "access": share.level.label,
        "expires_at": share.expires_at,
        "given_by": _person(share.given_by),
        "live": share.is_live,  # type: ignore[attr-defined]  # annotated by with_live
        "created_at": share.created_at,
    }


def link_address(secret: str) -> str:
    """Return the address of the page that opens a link."""
    return f"{settings.PUBLIC_URL}/shared?token={secret}"


def _person(user: User) -> dict[str, Any]:
    return {"id": user.pk, "name": user.name, "avatar": avatar_url(user.avatar)}
