"""The one form of every answer: `{success, data, meta}` or `{success, error}`."""

from collections.abc import ValuesView
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import orjson
from django.http import HttpResponse
from django.utils.timezone import is_naive

from core.context import current
from core.errors import ApplicationError
from core.times import rfc3339

CONTENT_TYPE: Final = "application/json"


class _Ready(HttpResponse):
    """What is ready to be sent."""

    def items(self) -> ValuesView[tuple[str, str]]:
        """Return the headers; the server asks for them once, and Django would look each up again."""
        return self.headers._store.values()


class Answer(_Ready):
    """JSON that is ready to be sent."""

    def __init__(self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(body, status=status, headers={"Content-Type": CONTENT_TYPE, **(headers or {})})


class Bodiless(_Ready):
    """An answer without a body, and so without a type."""

    def __init__(self, *, status: int, headers: dict[str, str] | None = None) -> None:
        # Without one Django would work out a type with a charset.
        super().__init__(status=status, content_type="", headers=headers)
        del self.headers["Content-Type"]


def encode(value: Any) -> bytes:
    """Return `value` as JSON: times in UTC with `Z` and microseconds, ids as text."""
    return orjson.dumps(value, default=_encode_other, option=orjson.OPT_PASSTHROUGH_DATETIME)


def success(
    data: Any,
    *,
    status: int = 200,
    meta: dict[str, Any] | None = None,
    message: str | None = None,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    """Return the answer that carries `data`."""
    body: dict[str, Any] = {"success": True, "data": data}
    if meta is not None:
        body["meta"] = meta
    if message is not None:
        body["message"] = message
    return Answer(encode(body), status=status, headers=headers)


def success_json(
    raw: bytes,
    *,
    meta: dict[str, Any] | bytes | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    """Return the answer whose data (and perhaps meta) the database has already written as JSON."""
    encoded_meta = meta if isinstance(meta, bytes) else encode(meta)
    tail = b"}" if meta is None else b',"meta":' + encoded_meta + b"}"
    body = b'{"success":true,"data":' + raw + tail
    return Answer(body, status=status, headers=headers)


def created(data: Any, *, location: str, etag: str | None = None) -> HttpResponse:
    """Return 201 with where the new thing is."""
    headers = {"Location": location}
    if etag is not None:
        headers["ETag"] = etag
    return success(data, status=201, headers=headers)


def accepted(data: Any = None, *, message: str | None = None) -> HttpResponse:
    """Return 202: it will be done."""
    return success(data, status=202, message=message)


def no_content(*, headers: dict[str, str] | None = None) -> HttpResponse:
    """Return 204, without a body."""
    return Bodiless(status=204, headers=headers)


def failure(error: ApplicationError) -> HttpResponse:
    """Return the answer that tells of `error`."""
    body = {
        "success": False,
        "error": {
            "code": error.code,
            "message": error.text,
            "details": [
                {"field": detail.field, "code": detail.code, "message": detail.message} for detail in error.details
            ],
            "request_id": current().request_id,
        },
    }
    headers = {"Cache-Control": "no-store", **error.headers}
    return Answer(encode(body), status=error.status, headers=headers)


def _encode_other(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() if is_naive(value) else rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
