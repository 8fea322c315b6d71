"""Sealed values: what `x-encrypted` makes of a value of `data` at rest, in records and in their versions.

A sealed value is text (`nk1:<key>:…`) whose authenticated context is the resource and the path. So it tells of itself:
text that opens at its place was sealed there, and text that does not was written by somebody as it is. Nothing else has
to be remembered, and what is read costs one look for the prefix.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from core.crypto import DecryptionFailed, decrypt, encrypt
from core.crypto.keyring import VERSION
from resources.schemas.keywords import Path

logger = logging.getLogger(__name__)

PURPOSE: Final = "resources.resource.data"
_PREFIX: Final = f"{VERSION}:"
_MARK: Final = f'"{_PREFIX}'.encode()


def may_hold_sealed(raw: bytes) -> bool:
    """Return whether JSON may hold a sealed value."""
    return _MARK in raw


def opened(data: dict[str, Any], resource_id: object) -> dict[str, Any]:
    """Return the data of a resource with every sealed value opened; the same object where there is none."""
    changes = {
        name: value
        for name, value in ((name, _opened(value, resource_id, (name,))) for name, value in data.items())
        if value is not data[name]
    }
    return {**data, **changes} if changes else data


def opened_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records as they are shown, each with its id, with what is sealed in their data opened."""
    return [{**row, "data": opened(row["data"], row["id"])} if "data" in row else row for row in rows]


def sealed(
    data: dict[str, Any], paths: Sequence[Path], *, resource_id: object, stored: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the data with what stands at the paths sealed; a value that `stored` has sealed already stays so.

    Keeping it is what lets a write that does not touch the field say that nothing changed.
    """
    for path in paths:
        data = _replaced(data, path, lambda value, path=path: _seal(value, path, resource_id, stored or {}))
    return data


def _opened(value: Any, resource_id: object, path: Path) -> Any:
    if isinstance(value, str):
        return _open_text(value, resource_id, path) if value.startswith(_PREFIX) else value
    if not isinstance(value, dict):
        return value
    changes = {
        name: inner
        for name, inner in ((name, _opened(inner, resource_id, (*path, name))) for name, inner in value.items())
        if inner is not value[name]
    }
    return {**value, **changes} if changes else value


def _open_text(text: str, resource_id: object, path: Path) -> Any:
    try:
        return orjson.loads(decrypt(text, context=_context(resource_id, path), purpose=PURPOSE))
    except DecryptionFailed:
        # Somebody's own words, or a value that was damaged: neither is worth failing a list for.
        logger.warning("A text that looks sealed does not open: resource %s, %s", resource_id, ".".join(path))
        return text


def _seal(value: Any, path: Path, resource_id: object, stored: Mapping[str, Any]) -> Any:
    before = _at(stored, path)
    if isinstance(before, str) and before.startswith(_PREFIX):
        known = _open_text(before, resource_id, path)
        if _same(known, value):
            return before
    return encrypt(orjson.dumps(value), context=_context(resource_id, path), purpose=PURPOSE)


def _same(one: Any, other: Any) -> bool:
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


def _context(resource_id: object, path: Path) -> str:
    return f"{PURPOSE}.{resource_id}.{'.'.join(path)}"


def _at(data: Any, path: Path) -> Any:
    for name in path:
        if not isinstance(data, Mapping):
            return None
        data = data.get(name)
    return data


def _replaced(data: dict[str, Any], path: Path, replacement: Any) -> dict[str, Any]:
    """Return the data with the value at the path replaced, where there is one; null is no value."""
    name, *rest = path
    value = data.get(name)
    if value is None:
        return data
    if not rest:
        return {**data, name: replacement(value)}
    return {**data, name: _replaced(value, tuple(rest), replacement)} if isinstance(value, dict) else data
