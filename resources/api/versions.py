"""The endpoints that compare versions and bring one back."""

from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import PUBLIC, SIGNED_IN
from core.api.concurrency import etag, require_match
from core.api.envelope import success, success_json
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PreconditionFailed
from resources.api import history, reading
from resources.api.serializers import ResourceShape
from resources.api.views import EXAMPLE
from resources.services import revert_resource


class ChangeShape(serializers.Serializer[Any]):
    """One difference; a side that lacks the path has no member."""

    path = serializers.CharField()
    before = serializers.JSONField(required=False)
    after = serializers.JSONField(required=False)


class DiffShape(serializers.Serializer[Any]):
    """What has to change to get from one version to another."""

    to = serializers.IntegerField()
    changes = ChangeShape(many=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with `from`, a word that Python keeps for itself."""
        return {"from": serializers.IntegerField(), **super().get_fields()}


class RevertInput(StrictSerializer):
    """Which version comes back."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class Diff(ApiView):
    """Two versions, side by side."""

    access = {"GET": PUBLIC}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "Compare two versions of a resource",
        description=(
            "What changes from `a` to `b`, by dotted path, in either direction. A path that one side lacks has no "
            "member for it: there is a difference between nothing and null."
        ),
        response=DiffShape,
        response_example={
            "from": 1,
            "to": 3,
            "changes": [{"path": "data.price", "before": 99, "after": 120.5}, {"path": "data.note", "after": "paid"}],
        },
        errors=(NotFound,),
    )
    def get(self, request: Request, resource_id: UUID, a: int, b: int) -> HttpResponse:
        return success(history.history_of(self.caller, resource_id).diff_shape(a, b))


class Reversion(ApiView):
    """The way back to an earlier content."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "write:resource"}

    @operation(
        "Revert a resource to a version",
        description=(
            "A new version with the name, description, data, tags and external id of an earlier one, judged by the "
            "present schema. Owner, visibility and status stay as they are."
        ),
        request=RevertInput,
        response=ResourceShape,
        request_example={"version": 1},
        response_example={**EXAMPLE, "version": 4},
        etag=True,
        errors=(NotFound, Conflict, PreconditionFailed),
    )
    def post(self, request: Request, resource_id: UUID) -> HttpResponse:
        number = parse(RevertInput, request)["version"]
        precondition = partial(require_match, request)
        revert_resource(actor=self.caller, resource_id=resource_id, number=number, precondition=precondition)
        raw, version = reading.resource_json(self.caller, resource_id)
        return success_json(raw, headers={"ETag": etag(version)})
