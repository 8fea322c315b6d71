"""`GET /events/stream`: events as they happen, to whoever may read them."""

from typing import Final

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from core.api.access import ANY_TOKEN, SIGNED_IN
from core.api.operations import operation
from core.api.views import ApiView
from core.errors import NotAuthenticated, ValidationFailed
from core.live import feed, stream
from core.live.feed import Position
from core.permissions import Caller

_HEADER: Final = "Last-Event-ID"
_EXAMPLE: Final = (
    "id: 8112-4711\n"
    "event: resource.updated\n"
    'data: {"id":"01939a2f-5c4e-7b1a-9d3e-2f6c8a0b4d11","type":"resource.updated",'
    '"subject":{"type":"resource","id":"01939a2e-0f3b-7c55-8a41-7d9e6b2c1f00"},'
    '"actor":"01939a2d-77aa-7e02-b1c6-54f0e9d8a321","changed":["name"],"occurred_at":"2026-11-21T09:30:00.000000Z"}\n\n'
)


class EventStream(ApiView):
    """Server-Sent Events: without end from the live process; a web process tells what there is, and closes."""

    access = {"GET": SIGNED_IN}
    token_scopes = {"GET": ANY_TOKEN}
    produces = (stream.CONTENT_TYPE,)
    keeps_secrets = True

    @operation(
        "Follow events",
        description=(
            "Server-Sent Events of everything that the caller may read: `event` is the type, `data` names the subject "
            "and the changed fields. `Last-Event-ID` resumes, up to 24 hours back. Permission is checked for every "
            "event when it is sent; a session that ends is silent within a second. A web process answers with what "
            "there is and closes; `EventSource` comes back by itself. A personal access token is told "
            "what its scopes cover."
        ),
        headers=({"name": _HEADER, "location": "header", "description": "The `id` of the last event received."},),
        response_example=_EXAMPLE,
    )
    def get(self, request: Request) -> HttpResponseBase:
        position = _position(request)
        headers = {"Content-Type": stream.CONTENT_TYPE, "X-Accel-Buffering": "no"}
        if request.method == "HEAD" or not isinstance(request._request, ASGIRequest):
            return HttpResponse(stream.once(self.caller, position), headers=headers)
        stream.require_room()
        return StreamingHttpResponse(stream.follow(self._caller_now, position), headers=headers)

    def _caller_now(self) -> Caller:
        for authenticator in self.get_authenticators():
            result = authenticator.authenticate(self.request)
            if result is not None:
                caller: Caller = result[0]
                self.refuse_unenrolled(caller)
                return caller
        raise NotAuthenticated


def _position(request: Request) -> Position:
    current = feed.now()
    given = request.headers.get(_HEADER)
    if given is None:
        return current
    position = Position.parse(given)
    if position is None:
        raise ValidationFailed.of(_HEADER, "invalid", "Send the id of the last event as it was received.")
    # A position past the present is of another database, before a restore.
    return min(position, current, key=lambda place: (place.transaction, place.seq))
