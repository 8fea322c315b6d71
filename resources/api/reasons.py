"""`/resources/{id}/access`: why somebody may, or may not."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import PUBLIC
from core.api.envelope import success
from core.api.operations import operation
from core.api.query import Query, parse_query
from core.api.views import ApiView
from core.errors import NotAuthenticated, NotFound, PermissionDenied
from resources.access import Action
from resources.api.serializers import VerdictShape
from resources.services.reasons import explain_access


class AccessQuery(Query):
    """Who wants to do what."""

    user = serializers.UUIDField(required=False, help_text="Left out: oneself.")
    action = serializers.ChoiceField(default=Action.READ.value, choices=[action.value for action in Action])


class ResourceAccess(ApiView):
    """The verdict on one action, with its reasons."""

    access = {"GET": PUBLIC}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "Explain an access",
        description=(
            "Whether somebody may do something with the resource: every reason for it, or what they would need. On "
            "oneself for everyone who may read it, on others for managers, the owner and callers with `read:audit`."
        ),
        query=AccessQuery,
        response=VerdictShape,
        response_example={
            "allowed": False,
            "because": [],
            "would_need": ["owner", "share:editor", "permission:write:resource"],
        },
        errors=(NotFound, NotAuthenticated, PermissionDenied),
    )
    def get(self, request: Request, resource_id: UUID) -> HttpResponse:
        query = parse_query(AccessQuery, request)
        verdict = explain_access(
            actor=self.caller, resource_id=resource_id, action=Action(query["action"]), user_id=query.get("user")
        )
        shown = {"because": verdict.because, "would_need": verdict.would_need}
        return success({"allowed": verdict.allowed, **shown})
