"""Bodies that come in chunks, without a length: Django reads none of such a body, and would take it for empty."""

from typing import IO

from django.conf import settings
from django.http import HttpRequest

from core.errors import ParseFailed, PayloadTooLarge


def read_chunks(request: HttpRequest) -> None:
    """Read the body into the request, and give it its length; refuse it where the server does not tell its end."""
    meta = request.META
    if "HTTP_TRANSFER_ENCODING" not in meta or meta.get("CONTENT_LENGTH") or "wsgi.input" not in meta:
        return
    if not meta.get("wsgi.input_terminated"):
        raise ParseFailed("Send the body with a Content-Length.")
    body = _read(meta["wsgi.input"], settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    request._body = body  # where Django keeps a body that was read
    meta["CONTENT_LENGTH"] = str(len(body))


def _read(stream: IO[bytes], limit: int) -> bytes:
    body = b""
    while chunk := stream.read(limit + 1 - len(body)):
        body += chunk
        if len(body) > limit:
            raise PayloadTooLarge
    return body
