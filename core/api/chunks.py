"""Bodies that Django would not read: those in chunks, which it takes for empty, and uploads beyond its one limit."""

from typing import IO

from django.conf import settings
from django.http import HttpRequest

from core.errors import ParseFailed, PayloadTooLarge


def read_body(request: HttpRequest, limit: int | None) -> None:
    """Read a body in chunks into the request and give it its length; with a `limit` of its own, any body.

    Raises `PayloadTooLarge` by the bytes that came, and `ParseFailed` where the server does not tell a body's end.
    """
    if _is_in_chunks(request):
        _read_chunks(request, limit or settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    elif limit is not None and not hasattr(request, "_body"):
        request._body = _read(request, limit)


def _is_in_chunks(request: HttpRequest) -> bool:
    meta = request.META
    return "HTTP_TRANSFER_ENCODING" in meta and not meta.get("CONTENT_LENGTH") and "wsgi.input" in meta


def _read_chunks(request: HttpRequest, limit: int) -> None:
    meta = request.META
    if not meta.get("wsgi.input_terminated"):
        raise ParseFailed("Send the body with a Content-Length.")
    body = _read(meta["wsgi.input"], limit)
    request._body = body  # where Django keeps a body that was read
    meta["CONTENT_LENGTH"] = str(len(body))


def _read(stream: IO[bytes] | HttpRequest, limit: int) -> bytes:
    body = bytearray()
    while chunk := stream.read(min(limit + 1 - len(body), 65_536)):
        body += chunk
        if len(body) > limit:
            raise PayloadTooLarge
    return bytes(body)
