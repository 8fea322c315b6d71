"""The endpoints of transitions: what the caller may do with a resource now, and the doing of it."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.concurrency import etag, require_match
from core.api.envelope import success, success_json
from core.api.operations import operation
from core.api.views import ApiView
from core.errors import Conflict, NotFound, PreconditionFailed
from resources.api import reading
from resources.api.serializers import ResourceShape
from resources.api.views import EXAMPLE
from resources.services import make_transition, transitions_open_to
from resources.services.transitions import Offer

_EXAMPLE: Final = {"name": "send", "from": ["draft"], "to": "sent", "missing": ["data.total"]}


class TransitionShape(serializers.Serializer[Any]):
    """A transition that the caller may take now; `missing` lists what has to be given before."""

    name = serializers.CharField()
    to = serializers.CharField()
    missing = serializers.ListField(child=serializers.CharField())

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with `from`, a word that Python keeps for itself."""
        return {"from": serializers.ListField(child=serializers.CharField()), **super().get_fields()}


class Transitions(ApiView):
    """The ways out of the present state."""

    access = {"GET": SIGNED_IN}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "List the transitions of a resource",
        description=(
            "Those of the type's workflow that lead out of the present state and that the caller may take, in the "
            "workflow's order. One whose `missing` is not empty is refused until these paths of `data` are given."
        ),
        response=TransitionShape,
        many=True,
        response_example=[_EXAMPLE],
        errors=(NotFound,),
    )
    def get(self, request: Request, resource_id: UUID) -> HttpResponse:
        return success([_shape(offer) for offer in transitions_open_to(actor=self.caller, resource_id=resource_id)])


class OneTransition(ApiView):
    """One way between states."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "write:resource"}

    @operation(
        "Take a resource through a transition",
        description=(
            "`status` changes in this way alone. 403: the transition is not for the caller; 409: it does not lead out "
            "of the present state, or the workflow lacks it; 400: `data` lacks what it requires. Of parallel "
            "transitions one wins."
        ),
        response=ResourceShape,
        response_example={**EXAMPLE, "type": "invoice", "status": "sent", "version": 2},
        etag=True,
        errors=(NotFound, Conflict, PreconditionFailed),
    )
    def post(self, request: Request, resource_id: UUID, name: str) -> HttpResponse:
        precondition = partial(require_match, request)
        make_transition(actor=self.caller, resource_id=resource_id, name=name, precondition=precondition)
        raw, version = reading.resource_json(self.caller, resource_id)
        return success_json(raw, headers={"ETag": etag(version)})


def _shape(offer: Offer) -> dict[str, Any]:
    way = offer.transition
    return {"name": way.name, "from": list(way.sources), "to": way.to, "missing": offer.missing}
