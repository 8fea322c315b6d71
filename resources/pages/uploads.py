"""Where clients send contents when files are kept on this machine; with S3 they send them there."""

from typing import Any

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from core.api.envelope import failure
from core.errors import ApplicationError
from resources.services.uploads import receive_upload


@csrf_exempt  # the address itself is the right to write, and no cookie gives it
@never_cache
@require_http_methods(["PUT"])
def upload(request: HttpRequest, token: str) -> HttpResponse:
    """Take the content, as S3 would: 200 and nothing more when all of it is there."""
    stream: Any = request
    try:
        receive_upload(token, stream, length=_length(request))
    except ApplicationError as error:
        return failure(error)
    except UnreadablePostError:
        return HttpResponse("The upload broke off.\n", status=400, content_type="text/plain")
    return HttpResponse(status=200, content_type="text/plain")


def _length(request: HttpRequest) -> int | None:
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() else None
