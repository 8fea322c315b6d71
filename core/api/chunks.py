"""Bodies that Django would not read: those in chunks, which it takes for empty, and uploads beyond its one limit."""

import hashlib
import re
from collections.abc import Callable
from typing import IO, Any, Final

from django.conf import settings
from django.http import HttpRequest

from core.errors import ParseFailed, PayloadTooLarge

_BOUNDARY: Final = re.compile(r'\Amultipart/[^;]*;(?:.*;)?\s*boundary="?([^";\s]+)', re.IGNORECASE)


def read_body(request: HttpRequest, limit: int | None) -> None:
    """Read a body in chunks into the request and give it its length; with a `limit` of its own, any body.

    Raises `PayloadTooLarge` by the bytes that came, and `ParseFailed` where the server does not tell a body's end.
    """
    if _is_in_chunks(request):
        _read_chunks(request, limit or settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    elif limit is not None and not hasattr(request, "_body"):
        request._body = _read(request, limit)


def spool_body(request: HttpRequest, limit: int, to: IO[bytes]) -> int:
    """Copy a body of at most `limit` bytes to a file instead of into memory; return its length.

    What stands for it in the request from then on is its digest, by which an `Idempotency-Key` knows it again.
    """
    meta = request.META
    source: IO[bytes] | HttpRequest = request
    if _is_in_chunks(request):
        if not meta.get("wsgi.input_terminated"):
            raise _endless()
        source = meta["wsgi.input"]
    digest = BodyDigest(meta.get("CONTENT_TYPE", ""))

    def keep(chunk: bytes) -> None:
        digest.update(chunk)
        to.write(chunk)

    length = _copy(source, limit, keep)
    request._body = digest.digest()  # where Django keeps a body that was read
    return length


class BodyDigest:
    """What tells one body from another: SHA-256 without the boundary of its parts, which each try makes up anew."""

    def __init__(self, content_type: str) -> None:
        found = _BOUNDARY.search(content_type)
        self._boundary = found.group(1).encode() if found else b""
        self._digest = hashlib.sha256()
        self._rest = b""

    def update(self, chunk: bytes) -> None:
        """Add the next bytes; as many are held back as a boundary between two chunks may have begun with."""
        if not self._boundary:
            self._digest.update(chunk)
            return
        # No boundary holds a NUL, so that what stands on both sides of it never makes another one.
        content = (self._rest + chunk).replace(self._boundary, b"\0")
        kept = max(0, len(content) - len(self._boundary) + 1)
        self._digest.update(content[:kept])
        self._rest = content[kept:]

    def digest(self) -> bytes:
        """Return the digest; nothing is to be added afterwards."""
        self._digest.update(self._rest)
        return self._digest.digest()


def _is_in_chunks(request: HttpRequest) -> bool:
    meta = request.META
    return "HTTP_TRANSFER_ENCODING" in meta and not meta.get("CONTENT_LENGTH") and "wsgi.input" in meta


def _read_chunks(request: HttpRequest, limit: int) -> None:
    meta = request.META
    if not meta.get("wsgi.input_terminated"):
        raise _endless()
    body = _read(meta["wsgi.input"], limit)
    request._body = body  # where Django keeps a body that was read
    meta["CONTENT_LENGTH"] = str(len(body))


def _read(stream: IO[bytes] | HttpRequest, limit: int) -> bytes:
    body = bytearray()
    _copy(stream, limit, body.extend)
    return bytes(body)


def _copy(stream: IO[bytes] | HttpRequest, limit: int, write: Callable[[bytes], Any]) -> int:
    length = 0
    while chunk := stream.read(min(limit + 1 - length, 65_536)):
        length += len(chunk)
        if length > limit:
            raise PayloadTooLarge
        write(chunk)
    return length


def _endless() -> ParseFailed:
    return ParseFailed("Send the body with a Content-Length.")
