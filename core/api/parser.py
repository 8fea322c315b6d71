"""The strict JSON parser: what two parsers could read differently is refused.

Refused as `PARSE_ERROR`: bytes that are not UTF-8, a NUL character or a lone surrogate anywhere, a key
given twice, nesting deeper than 32, NaN and infinities, whole numbers beyond 64 bit. `orjson` reads the
common case and one walk over the result finds the rest; only a body that the walk cannot settle is
read a second time by the standard library.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

import orjson
from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from core.errors import ParseFailed, PayloadTooLarge

MAX_DEPTH: Final = 32
_CHARSET: Final = re.compile(r"""charset=["']?([^"';\s]*)""", re.IGNORECASE)
_INTEGER_BOUND: Final = 2**63


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
    if not _is_plain(value, raw):
        _read_again(raw)
    return value


def _is_plain(value: Any, raw: bytes) -> bool:
    """Walk the value; return False when only a second, slower reading can tell whether it is sound.

    Every key costs one colon outside strings, so colons counted in the bytes less those inside the
    strings equal the keys unless a key was given twice (its first value is lost) or a colon is escaped.
    """
    keys = colons = 0
    certain = True
    for item in _leaves_and_keys(value):
        kind = type(item)
        if kind is str:
            if "\x00" in item:
                raise ParseFailed("The request body holds a NUL character.")
            colons += item.count(":")
        elif kind is int:
            _refuse_wide(item)
        elif kind is float:
            certain = certain and -_INTEGER_BOUND < item < _INTEGER_BOUND
        elif kind is _Keys:
            keys += item.count
    return certain and raw.count(b":") - colons == keys


class _Keys:
    """How many keys an object has, told by the walk."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count


def _leaves_and_keys(value: Any) -> Iterator[Any]:
    level = [value]
    depth = 0
    while level:
        deeper: list[Any] = []
        for item in level:
            if type(item) is dict:
                yield _Keys(len(item))
                yield from item
                deeper.extend(item.values())
            elif type(item) is list:
                deeper.extend(item)
            else:
                yield item
        depth += any(type(item) is dict or type(item) is list for item in level)
        if depth > MAX_DEPTH:
            raise ParseFailed(f"The request body is nested deeper than {MAX_DEPTH} levels.")
        level = deeper


def _read_again(raw: bytes) -> None:
    """Read with the standard library, which shows every pair and every digit; depth is known to be small."""
    json.loads(raw, object_pairs_hook=_refuse_repeated, parse_int=_integer)


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ParseFailed("The request body gives a key twice.")
    return result


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ParseFailed("The request body holds a number out of range.")
    value = int(digits)
    _refuse_wide(value)
    return value


def _refuse_wide(value: int) -> None:
    if not -_INTEGER_BOUND <= value < _INTEGER_BOUND:
        raise ParseFailed("The request body holds a number out of range.")
