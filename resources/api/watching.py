"""`/resources/{id}/watch`: follow a resource."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.envelope import no_content
from core.api.operations import operation
from core.api.views import ApiView
from core.errors import Conflict, NotFound
from resources.services.watching import unwatch_resource, watch_resource


class Watching(ApiView):
    """Whether the caller follows a resource."""

    access = {"PUT": SIGNED_IN, "DELETE": SIGNED_IN}
    token_scopes = {"PUT": "write:resource", "DELETE": "delete:resource"}

    @operation(
        "Follow a resource",
        description=(
            "Who follows a resource hears of comments and transitions that others make, while they may read it. Safe "
            "to repeat. The owner hears of them anyway. A resource has 1,000 followers at most (409)."
        ),
        status=204,
        errors=(NotFound, Conflict),
    )
    def put(self, request: Request, resource_id: UUID) -> HttpResponse:
        watch_resource(actor=self.caller, resource_id=resource_id)
        return no_content()

    @operation(
        "Follow a resource no longer",
        description="Safe to repeat; also for a resource that one may not read any more.",
        status=204,
        errors=(NotFound,),
    )
    def delete(self, request: Request, resource_id: UUID) -> HttpResponse:
        unwatch_resource(actor=self.caller, resource_id=resource_id)
        return no_content()
