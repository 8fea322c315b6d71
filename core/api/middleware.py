"""What must stand around the views of the API: the envelope for what no view has answered, and compression."""

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

from core.api.envelope import CONTENT_TYPE, failure
from core.api.errors import for_status

PREFIX: Final = "/api"
_SHORTEST_COMPRESSED: Final = 1024


def enveloped(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Return the answer, an error from outside the views (bad host, debug page) put into the envelope."""
    if response.status_code < 400 or not request.path_info.startswith(PREFIX):
        return response
    if response.headers.get("Content-Type") == CONTENT_TYPE:
        return response
    answer = failure(for_status(response.status_code))
    if "Allow" in response.headers:
        answer.headers["Allow"] = response.headers["Allow"]
    return answer


class ApiCompressionMiddleware(GZipMiddleware):
    """Compress API answers above 1 KiB, where no proxy does it; never those that carry secrets."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.COMPRESS_RESPONSES:
            raise MiddlewareNotUsed
        super().__init__(get_response)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not isinstance(response, HttpResponse) or len(response.content) < _SHORTEST_COMPRESSED:
            return response
        if not request.path.startswith(PREFIX) or "no-store" in response.headers.get("Cache-Control", ""):
            return response
        return super().process_response(request, response)
