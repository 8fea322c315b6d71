"""What a schema says of the value at a path of `data`: which kind it is, and how text in a query becomes one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final
from uuid import UUID

from django.utils.dateparse import parse_datetime

from resources.schemas.pointers import pointed_at

LONGEST_TEXT: Final = 200
"""How long a text in a query may be; an index keeps the first 300 characters, so that it can tell them all apart."""

_DIGITS: Final = 100
_EXPONENT: Final = 400


class Kind(Enum):
    """The kinds of values; each is compared in its own way."""

    TEXT = "text"
    DATE = "date"
    UUID = "uuid"
    TIME = "time"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "boolean"
    LIST = "list"
    OTHER = "other"

    @property
    def is_number(self) -> bool:
        return self in {Kind.INTEGER, Kind.NUMBER}

    @property
    def is_single(self) -> bool:
        """Return whether values of this kind can be compared."""
        return self not in {Kind.LIST, Kind.OTHER}


@dataclass(frozen=True, slots=True)
class Property:
    """A value of `data`: the names that lead to it, its kind, and of a list the kind of what is in it."""

    path: tuple[str, ...]
    kind: Kind
    items: Kind = Kind.OTHER

    @property
    def name(self) -> str:
        """Return how a query names it."""
        return ".".join(("data", *self.path))


class WrongType(ValueError):
    """Raised for text that is no value of the kind; the message says what would be one."""


def property_named(schema: Mapping[str, Any], dotted: str) -> Property | None:
    """Return the property that the schema describes under a dotted path, or None where it describes none."""
    found = _found(schema, schema, dotted)
    if found is None:
        return None
    path, described = found
    return property_of(schema, path, described)


def property_of(schema: Mapping[str, Any], path: tuple[str, ...], described: Mapping[str, Any]) -> Property:
    """Return the property at `path`, of which the schema says `described`."""
    whole = _resolved(schema, described)
    kind = _kind(whole)
    items = whole.get("items")
    inner = _kind(_resolved(schema, items)) if kind is Kind.LIST and isinstance(items, dict) else Kind.OTHER
    return Property(path, kind, inner)


def cast(text: str, kind: Kind) -> Any:
    """Return the value of this kind that the text says; raises `WrongType`."""
    if len(text) > LONGEST_TEXT:
        raise WrongType(f"Give at most {LONGEST_TEXT} characters.")
    return _CASTS[kind](text)


def _found(
    root: Mapping[str, Any], schema: Mapping[str, Any], dotted: str
) -> tuple[tuple[str, ...], Mapping[str, Any]] | None:
    """Return the path, and what is said there; a name may hold dots itself."""
    properties = _resolved(root, schema).get("properties")
    if not isinstance(properties, dict):
        return None
    if isinstance(properties.get(dotted), dict):
        return (dotted,), properties[dotted]
    for name, child in properties.items():
        if name and isinstance(child, dict) and dotted.startswith(f"{name}."):
            found = _found(root, child, dotted[len(name) + 1 :])
            if found is not None:
                return (name, *found[0]), found[1]
    return None


def _resolved(root: Mapping[str, Any], schema: Any) -> Mapping[str, Any]:
    """Return the schema with what its references say; the linter has seen to it that they end."""
    if not isinstance(schema, Mapping):
        return {}
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    return {**_resolved(root, pointed_at(root, reference)), **schema}


def _kind(schema: Mapping[str, Any]) -> Kind:
    types = {name for name in _types(schema) if name != "null"}
    if types == {"string"}:
        return _FORMATS.get(str(schema.get("format")), Kind.TEXT)
    if types == {"integer", "number"}:
        return Kind.NUMBER
    return _TYPES.get(types.pop(), Kind.OTHER) if len(types) == 1 else Kind.OTHER


def _types(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the JSON types that a value may have, as far as the schema says."""
    declared = schema.get("type")
    if isinstance(declared, str):
        yield declared
    elif isinstance(declared, list):
        yield from declared
    else:
        values = [schema["const"]] if "const" in schema else schema.get("enum", [])
        yield from (_JSON_TYPES.get(type(value), "object") for value in values)


_TYPES: Final = {
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "boolean": Kind.FLAG,
    "array": Kind.LIST,
}
_FORMATS: Final = {"date": Kind.DATE, "date-time": Kind.TIME, "uuid": Kind.UUID}
_JSON_TYPES: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    list: "array",
}


def _number(text: str) -> Decimal:
    message = "Give a number."
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise WrongType(message) from None
    # What is spelt otherwise in JSON is no number of ours; PostgreSQL would take, and write out, 1e100000.
    if not number.is_finite() or "_" in text or text != text.strip() or not text.isascii():
        raise WrongType(message)
    _, digits, exponent = number.as_tuple()
    if len(digits) > _DIGITS or abs(int(exponent)) > _EXPONENT:
        raise WrongType("Give a number of fewer digits.")
    return number


def _integer(text: str) -> Decimal:
    number = _number(text)
    if number != number.to_integral_value():
        raise WrongType("Give a whole number.")
    return number


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise WrongType("Give true or false.")
    return text == "true"


def _date(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise WrongType("Give a date: 2026-01-31.")
    return text


def _time(text: str) -> datetime:
    message = "Give a time with its offset: 2026-01-31T12:00:00Z."
    try:
        # A `+` that was not encoded arrives as a space.
        moment = parse_datetime(text.replace(" ", "+"))
        if moment is None or moment.tzinfo is None or "T" not in text.upper():
            raise WrongType(message)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongType(message) from None


def _uuid(text: str) -> str:
    try:
        identifier = str(UUID(text))
    except ValueError:
        identifier = ""
    if identifier != text.lower():
        raise WrongType("Give a UUID.")
    return identifier


def _impossible(text: str) -> Any:
    raise WrongType("The schema gives no single type that a value could be compared with.")


_CASTS: Final[dict[Kind, Callable[[str], Any]]] = {
    Kind.TEXT: str,
    Kind.DATE: _date,
    Kind.UUID: _uuid,
    Kind.TIME: _time,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.LIST: _impossible,
    Kind.OTHER: _impossible,
}
