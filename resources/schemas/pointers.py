"""Pointers into a schema, as references spell them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote


def pointed_at(root: Any, reference: str) -> Any:
    """Return what `#/…` points at: a JSON pointer as the fragment of a URI (RFC 6901, section 6).

    Raises `LookupError` where there is nothing.
    """
    found = root
    for step in unquote(reference.removeprefix("#")).split("/")[1:]:
        found = _below(found, step.replace("~1", "/").replace("~0", "~"))
    return found


def _below(value: Any, name: str) -> Any:
    if isinstance(value, list) and name.isdecimal():
        return value[int(name)]
    if isinstance(value, Mapping):
        return value[name]
    raise LookupError(name)
