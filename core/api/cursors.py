"""Signed cursors: a place in a sorted list that the client carries and cannot forge.

A cursor is bound to what it was made for (sort, filters, caller) by the HMAC: with anything else it is refused.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.utils.crypto import salted_hmac

from core.api.envelope import encode
from core.errors import ValidationFailed

_SALT: Final = "core.api.cursors"
_SIGNATURE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Cursor:
    """The sort values of the row at the edge of a page, and which way to read from there."""

    values: tuple[Any, ...]
    is_backward: bool = False


def sign_cursor(cursor: Cursor, *, bound_to: str) -> str:
    """Return the opaque text for the cursor."""
    payload = encode([cursor.is_backward, list(cursor.values)])
    return base64.urlsafe_b64encode(_signature(payload, bound_to) + payload).rstrip(b"=").decode()


def read_cursor(text: str, *, bound_to: str, length: int) -> Cursor:
    """Return the cursor that the text says, or raise `ValidationFailed` for any that this list did not give out."""
    try:
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise _invalid() from None
    signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(payload, bound_to)):
        raise _invalid()
    is_backward, values = orjson.loads(payload)
    if len(values) != length:
        raise _invalid()
    return Cursor(tuple(values), is_backward)


def _signature(payload: bytes, bound_to: str) -> bytes:
    key = salted_hmac(_SALT, bound_to, algorithm="sha256").digest()
    return hmac.digest(key, payload, "sha256")[:_SIGNATURE_BYTES]


def _invalid() -> ValidationFailed:
    return ValidationFailed.of("cursor", "invalid", "This cursor does not belong to this list.")
