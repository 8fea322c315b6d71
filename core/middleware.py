"""What every request passes, and what only pages pass."""

import os
import re
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from core.context import WorkContext, working

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class EdgeMiddleware:
    """The outermost one: gives the request its identifiers and its context."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        context = _context_of(request)
        with working(context):
            response = self.get_response(request)
        response.headers["X-Request-ID"] = context.request_id
        return response


def _context_of(request: HttpRequest) -> WorkContext:
    meta = request.META
    request_id = meta.get("HTTP_X_REQUEST_ID", "")
    traceparent = meta.get("HTTP_TRACEPARENT", "")
    return WorkContext(
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else os.urandom(16).hex(),
        traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else "",
        ip=meta.get("REMOTE_ADDR") or None,
        user_agent=meta.get("HTTP_USER_AGENT", "")[:500],
    )
