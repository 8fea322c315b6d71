"""`GET /api/`: which versions there are, and how long each will stay."""

from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import ANY_TOKEN, PUBLIC
from core.api.envelope import success
from core.api.operations import operation
from core.api.retirement import VERSIONS, Retirement
from core.api.views import ApiView


class ApiVersion(serializers.Serializer[Any]):
    """One version of the API."""

    version = serializers.CharField()
    state = serializers.ChoiceField(["current", "supported", "deprecated"])
    path = serializers.CharField()
    deprecated_at = serializers.DateTimeField(allow_null=True)
    sunset_at = serializers.DateTimeField(allow_null=True)


class Versions(ApiView):
    access = {"GET": PUBLIC}
    token_scopes = {"GET": ANY_TOKEN}

    @operation(
        "List the versions of the API",
        description="A deprecated version says in every answer until when it serves (`Sunset`).",
        response=ApiVersion,
        many=True,
        response_example=[
            {"version": "v1", "state": "current", "path": "/api/v1", "deprecated_at": None, "sunset_at": None}
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return success([_shape(name, retirement) for name, retirement in VERSIONS.items()])


def _shape(name: str, retirement: Retirement | None) -> dict[str, Any]:
    newest = list(VERSIONS)[-1]
    state = "deprecated" if retirement else "current" if name == newest else "supported"
    return {
        "version": name,
        "state": state,
        "path": f"/api/{name}",
        "deprecated_at": retirement and retirement.deprecated_at,
        "sunset_at": retirement and retirement.sunset_at,
    }
