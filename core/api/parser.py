"""The strict JSON parser: what two parsers could read differently is refused.

Refused as `PARSE_ERROR`: bytes that are not UTF-8, a NUL character or a lone surrogate anywhere, a key
given twice, nesting deeper than 32, NaN and infinities, whole numbers beyond 64 bit (but for those that are a double,
digit by digit: PostgreSQL spells 1e20 so, and what was read can be sent back). `orjson` reads and refuses
most of it; searches in the bytes and a walk over the containers settle the rest for a common body. What they
cannot settle is read a second time, slowly, by the standard library, which shows every pair and every digit.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, Final

import orjson
from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from core.errors import ParseFailed, PayloadTooLarge

MAX_DEPTH: Final = 32
_CHARSET: Final = re.compile(r"""charset=["']?([^"';\s]*)""", re.IGNORECASE)
_CONTAINERS: Final = frozenset({dict, list})
_INTEGER_BOUND: Final = 2**63
_DIGITS_AS_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 19
_ODD_KEY_ENDS: Final = (b'" :', b'"\t:', b'"\n:', b'"\r:')


class StrictJSONParser(BaseParser):
    """DRF's door to `parse_json`."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any] | HttpRequest,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        charset = _CHARSET.search(media_type or "")
        if charset is not None and charset.group(1).lower() != "utf-8":
            raise UnsupportedMediaType(media_type or "")
        raw = stream.body if isinstance(stream, HttpRequest) else stream.read()
        return parse_json(raw)


def parse_json(raw: bytes) -> Any:
    """Return what the bytes say, or raise `ParseFailed` or `PayloadTooLarge`."""
    if len(raw) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise PayloadTooLarge
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ParseFailed(f"The request body is not valid JSON: {error.msg}.") from None
    keys = _count_keys(value)
    if _is_doubtful(raw) or (raw.count(b":") != keys and raw.count(b'":') != keys):
        _read_again(raw)
    return value


def _count_keys(value: Any) -> int:
    """Return how many keys all objects have together; raise `ParseFailed` when they are nested too deep."""
    keys = depth = 0
    level: list[Any] = [value] if type(value) in _CONTAINERS else []
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ParseFailed(f"The request body is nested deeper than {MAX_DEPTH} levels.")
        deeper: list[Any] = []
        for container in level:
            if type(container) is dict:
                keys += len(container)
                deeper += [item for item in container.values() if type(item) in _CONTAINERS]
            else:
                deeper += [item for item in container if type(item) in _CONTAINERS]
        level = deeper
    return keys


def _is_doubtful(raw: bytes) -> bool:
    """Return whether there may be a NUL, a number out of range, or a key's end that counting `":` could miss.

    Without the last, the count can only find too many (a text that starts with a colon, an escaped quote
    before one), never too few: so a count that equals the keys means that none was given twice.
    """
    if b"\\u0000" in raw or _LONG_NUMBER in raw.translate(_DIGITS_AS_ZERO):
        return True
    return any(end in raw for end in _ODD_KEY_ENDS)


def _read_again(raw: bytes) -> None:
    _refuse_nul(json.loads(raw, object_pairs_hook=_refuse_repeated, parse_int=_integer))


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ParseFailed("The request body gives a key twice.")
    return result


def _refuse_nul(value: Any) -> None:
    """Raise `ParseFailed` for a NUL in any text; the depth is known to be small."""
    if isinstance(value, str) and "\x00" in value:
        raise ParseFailed("The request body holds a NUL character.")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_nul(key)
            _refuse_nul(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_nul(inner)


def _integer(digits: str) -> int:
    within = len(digits) <= 20 and -_INTEGER_BOUND <= int(digits) < _INTEGER_BOUND
    if not within and digits != f"{Decimal(repr(float(digits))):f}":
        raise ParseFailed("The request body holds a number out of range.")
    return int(digits)
