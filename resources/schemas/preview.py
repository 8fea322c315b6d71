"""What a schema accepts, for people: its fields in the order of the schema, and an example that it takes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from core.errors import Detail, ValidationFailed
from resources.schemas.compiled import Schema
from resources.schemas.keywords import ALL, REFERENCE
from resources.schemas.pointers import pointed_at

MOST_FIELDS: Final = 200
MOST_VALUES: Final = 2_000

_RULES: Final = (
    *("format", "pattern", "enum", "const", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
    *("multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "default", *ALL),
)
_TEXTS: Final = {
    "date": "2026-11-21",
    "date-time": "2026-11-21T09:30:00Z",
    "time": "09:30:00Z",
    "duration": "P1D",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "/path",
    "uuid": "019332f1-6c7a-7b1e-9f53-0a1b2c3d4e5f",
}
_REFERENCED: Final = _TEXTS["uuid"]


@dataclass(frozen=True, slots=True)
class Field:
    """One property: its dotted path within `data`, its JSON type, whether it has to be there, its other rules."""

    path: str
    type: str
    is_required: bool
    rules: str


@dataclass(frozen=True, slots=True)
class Example:
    """Data made after the schema; `faults` is empty where the schema takes it."""

    data: Any
    faults: tuple[Detail, ...]


def fields_of(schema: dict[str, Any]) -> list[Field]:
    """Return the fields that a linted schema names, at most `MOST_FIELDS` of them."""
    found: list[Field] = []
    for field in _fields(schema, schema, ""):
        if len(found) == MOST_FIELDS:
            break
        found.append(field)
    return found


def example_of(schema: dict[str, Any]) -> Example:
    """Return data that a linted schema accepts, or the nearest that can be made; `examples` and `default` help."""
    data = _Maker(schema).value(schema)
    try:
        Schema(schema).validate(data)
    except ValidationFailed as refusal:
        return Example(data, refusal.details)
    return Example(data, ())


def _fields(root: dict[str, Any], schema: Any, prefix: str) -> Iterator[Field]:
    whole = _whole(root, schema)
    required = whole.get("required", ())
    for name, child in whole.get("properties", {}).items():
        inner = _whole(root, child)
        path = f"{prefix}{name}"
        yield Field(path, _type_of(inner), name in required, _rules_of(inner))
        yield from _fields(root, inner, f"{path}.")
        if isinstance(inner.get("items"), dict):
            yield from _fields(root, inner["items"], f"{path}.0.")


def _whole(root: dict[str, Any], schema: Any) -> dict[str, Any]:
    """Return the subschema with what it refers to and all that must hold besides put into it; true is no rule."""
    if not isinstance(schema, dict):
        return {}
    whole: dict[str, Any] = {}
    parts = [pointed_at(root, schema["$ref"])] if "$ref" in schema else []
    parts += [*schema.get("allOf", ()), *schema.get("anyOf", ())[:1], *schema.get("oneOf", ())[:1]]
    for part in parts:
        _merge(whole, _whole(root, part))
    _merge(whole, {name: value for name, value in schema.items() if name not in {"$ref", "allOf", "anyOf", "oneOf"}})
    return whole


def _merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    for name, value in part.items():
        if name == "properties":
            whole[name] = {**whole.get(name, {}), **value}
        elif name == "required":
            whole[name] = [*whole.get(name, ()), *value]
        else:
            whole[name] = value


def _type_of(schema: dict[str, Any]) -> str:
    named = schema.get("type", "any")
    return named if isinstance(named, str) else " or ".join(named)


def _rules_of(schema: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_said(schema[name])}" for name in _RULES if name in schema)


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}…"


class _Maker:
    """Makes a value for each subschema, until it has made `MOST_VALUES`: lists of lists of lists are soon many."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._left = MOST_VALUES

    def value(self, schema: Any) -> Any:
        self._left -= 1
        whole = _whole(self._root, schema)
        for given in ("const", "default"):
            if given in whole:
                return whole[given]
        for given in ("examples", "enum"):
            if whole.get(given):
                return whole[given][0]
        return None if self._left < 0 else self._made(whole)

    def _made(self, whole: dict[str, Any]) -> Any:
        kind = whole.get("type", "object" if "properties" in whole else "string")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        if kind == "object":
            properties = whole.get("properties", {})
            return {name: self.value(child) for name, child in properties.items() if child is not False}
        if kind == "array":
            return self._items(whole)
        if kind in {"integer", "number"}:
            return _number(whole)
        return {"boolean": True, "null": None}.get(kind, _text(whole))

    def _items(self, whole: dict[str, Any]) -> list[Any]:
        first = [self.value(item) for item in whole.get("prefixItems", ())]
        missing = max(whole.get("minItems", 1), 1) - len(first)
        return [*first, *(self.value(whole.get("items", {})) for _ in range(min(missing, 20)) if self._left > 0)]


def _number(whole: dict[str, Any]) -> float:
    step = whole.get("multipleOf", 1)
    if "exclusiveMinimum" in whole:
        return (whole["exclusiveMinimum"] // step + 1) * step  # type: ignore[no-any-return]  # it is JSON
    if "minimum" in whole:
        return -(-whole["minimum"] // step) * step  # type: ignore[no-any-return]  # as above
    if "exclusiveMaximum" in whole:
        return min(step, (-(-whole["exclusiveMaximum"] // step) - 1) * step)  # type: ignore[no-any-return]  # as above
    return min(step, whole.get("maximum", step) // step * step)  # type: ignore[no-any-return]  # as above


def _text(whole: dict[str, Any]) -> str:
    if REFERENCE in whole:
        return _REFERENCED
    text = _TEXTS.get(whole.get("format", ""), "text")
    return text.ljust(min(whole.get("minLength", 0), 200), "x")[: whole.get("maxLength", len(text) + 200)]
