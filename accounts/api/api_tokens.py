"""`/auth/api-tokens`: what scripts sign in with."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import ApiToken
from accounts.services import api_tokens
from core.api.access import SIGNED_IN
from core.api.envelope import created, no_content
from core.api.fields import NameField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import CreatedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, ReauthenticationRequired

_EXAMPLE: Final = {
    "id": "01a1fbd6-3c11-7a04-8f7e-6d1b2f9a0c55",
    "name": "Nightly report",
    "prefix": "nk_4fQz1K",
    "scopes": ["read:resource"],
    "last_used_at": None,
    "expires_at": "2027-11-21T09:30:00.000000Z",
    "created_at": "2026-11-21T09:30:00.000000Z",
}


class ApiTokenInput(StrictSerializer):
    name = NameField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=100),
        allow_empty=False,
        max_length=50,
        help_text="Permissions of one's own; `read:resource`, `write:resource` and `delete:resource` for anyone.",
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Left out: the longest life that a token may have."
    )


class ApiTokenShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The first characters of the token.")
    scopes = serializers.ListField(child=serializers.CharField())
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    expires_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class NewApiTokenShape(ApiTokenShape):
    token = serializers.CharField(help_text="Shown this once.")


ApiTokenListQuery: Final = trimmed(CreatedQuery, ApiTokenShape)


class ApiTokens(ApiView):
    access = {"GET": SIGNED_IN, "POST": SIGNED_IN}

    @operation(
        "List one's personal access tokens",
        description="Those that nobody has revoked; the tokens themselves are kept nowhere.",
        query=ApiTokenListQuery,
        response=ApiTokenShape,
        many=True,
        paginated=True,
        response_example=[_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        return paginate(
            ApiToken.objects.unrevoked().filter(user_id=self.caller.own_id),
            request,
            parse_query(ApiTokenListQuery, request),
            shape=_shape,
            sorts={"created_at": "created_at"},
            default_sort="-created_at",
        )

    @operation(
        "Make a personal access token",
        description=(
            "Needs a sign-in within the last ten minutes (`POST /auth/reauthenticate`). The token may do what its "
            "scopes name and its owner may at that moment, and nothing under `/auth/`. It is shown this once."
        ),
        request=ApiTokenInput,
        response=NewApiTokenShape,
        status=201,
        request_example={"name": "Nightly report", "scopes": ["read:resource"]},
        response_example={**_EXAMPLE, "token": "nk_4fQz1K6789abcdefghijklmnopqrstuvwxyzABCDEFG01234567"},
        errors=(Conflict, ReauthenticationRequired),
    )
    def post(self, request: Request) -> HttpResponse:
        made = api_tokens.create_api_token(actor=self.caller, **parse(ApiTokenInput, request))
        location = f"/api/v1/auth/api-tokens/{made.row.pk}"
        return created({**_shape(made.row), "token": made.secret}, location=location)


class OneApiToken(ApiView):
    access = {"DELETE": SIGNED_IN}

    @operation(
        "Revoke one of one's personal access tokens", description="It stops at once, on every server.", status=204
    )
    def delete(self, request: Request, token_id: UUID) -> HttpResponse:
        api_tokens.revoke_api_token(actor=self.caller, token_id=token_id)
        return no_content()


def _shape(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.pk,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "last_used_at": token.last_used_at,
        "expires_at": token.expires_at,
        "created_at": token.created_at,
    }
