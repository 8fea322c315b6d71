"""What is refused of our own keywords: wrong places and values, and those that contradict each other."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from core.errors import Detail
from resources.schemas.keywords import (
    ALL,
    ENCRYPTED,
    INDEX,
    ON_DELETE,
    ON_ITEMS,
    OPEN,
    OWNER,
    READ,
    REFERENCE,
    SEARCH,
    UNIQUE,
    WEIGHTS,
    WRITE,
    Path,
    Place,
    places,
)

MAX_KEYWORDS: Final = 100
"""How many places of one schema may have keywords."""

MAX_INDEXES: Final = 10
"""How many indexes a type may have: each makes every write of its resources dearer."""

MAX_NAME: Final = 100
_MAX_ROLES: Final = 50
_MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_VALUE_KEYWORDS: Final = frozenset({"enum", "const", "default", "examples"})
"""What holds values, in which our keywords mean nothing."""

_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})
_TYPES: Final[dict[str, frozenset[str]]] = {
    UNIQUE: _SCALARS,
    INDEX: _SCALARS,
    SEARCH: frozenset({"string"}),
    REFERENCE: frozenset({"string"}),
}
"""What a value must be, as its schema says, for the keyword to mean something; null besides."""

_CONTRADICTIONS: Final[tuple[tuple[str, str, str], ...]] = (
    (UNIQUE, ENCRYPTED, "What is encrypted is not compared."),
    (INDEX, ENCRYPTED, "What is encrypted is not compared."),
    (SEARCH, ENCRYPTED, "What is encrypted is not searched."),
    (REFERENCE, ENCRYPTED, "A reference is a row of its own, in clear."),
    (UNIQUE, READ, "A taken value would tell what not everybody may read."),
    (SEARCH, READ, "A match would tell what not everybody may read."),
)
"""A keyword, and another that may not stand with it or around it."""


def keyword_faults(schema: dict[str, Any]) -> Iterator[Detail]:
    """Yield what is wrong with the keywords of a schema whose other parts are known to be sound.

    Whether the roles and types that they name exist is not looked at here.
    """
    found = list(places(schema))
    yield from _misplaced(schema, ("schema",), frozenset(place.at for place in found))
    marked = [place for place in found if any(name in place.schema for name in ALL)]
    if len(marked) > MAX_KEYWORDS:
        yield Detail("schema", "too_many_keywords", f"At most {MAX_KEYWORDS} properties may have keywords.")
        return
    if sum(1 for place in marked if place.schema.get(INDEX)) > MAX_INDEXES:
        yield Detail("schema", "too_many_indexes", f"At most {MAX_INDEXES} properties may have {INDEX}.")
    by_path = {place.path: place for place in found if not place.is_list}
    for place in marked:
        yield from _faults_at(place)
        outer = [by_path[place.path[:end]] for end in range(1, len(place.path) + place.is_list)]
        yield from _faults_of_path(place, outer)
        yield from _contradictions(place, outer)


def _misplaced(schema: Any, at: Path, allowed: frozenset[Path]) -> Iterator[Detail]:
    """Yield keywords that `properties` alone do not lead to: nothing would know where to look for the value."""
    if isinstance(schema, list):
        for place, child in enumerate(schema):
            yield from _misplaced(child, (*at, str(place)), allowed)
    if not isinstance(schema, dict):
        return
    for name in schema.keys() & set(ALL) if at not in allowed else ():
        message = "This keyword stands on properties that `properties` alone lead to."
        yield Detail(".".join((*at, name)), "misplaced_keyword", message)
    for step, child in _inside(schema):
        yield from _misplaced(child, (*at, *step), allowed)


def _inside(schema: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Yield everything in which a subschema may stand, with the steps that lead there."""
    for name, child in schema.items():
        if name in _MAPS and isinstance(child, dict):
            yield from (((name, key), inner) for key, inner in child.items())
        elif name not in _VALUE_KEYWORDS and name not in ALL:
            yield (name,), child


def _faults_at(place: Place) -> Iterator[Detail]:
    """Yield what is wrong with the keywords at one place, each for itself."""
    for name in ALL:
        if name not in place.schema:
            continue
        at = ".".join((*place.at, name))
        if name not in OPEN:
            yield Detail(at, "unknown_keyword", "There is no such keyword.")
        elif place.is_list and name not in ON_ITEMS:
            yield Detail(at, "misplaced_keyword", "This keyword stands on the list, not on its items.")
        elif not _VALUES[name][0](place.schema[name]):
            yield Detail(at, "invalid", _VALUES[name][1])
        elif name in _TYPES and not _says(place.schema, _TYPES[name]):
            yield Detail(at, "wrong_type", f"This needs a `type`: {' or '.join(sorted(_TYPES[name]))}.")
        elif name == INDEX and not _says_one(place.schema):
            yield Detail(at, "wrong_type", "Values of two types have no order that an index could keep.")


def _faults_of_path(place: Place, outer: list[Place]) -> Iterator[Detail]:
    """Yield why the path may not lead to the value, which the keyword would then miss."""
    if any(not name or "." in name or len(name) > MAX_NAME for name in place.path):
        message = f"With keywords, a name has 1 to {MAX_NAME} characters, and no dot."
        yield Detail(".".join(place.at), "bad_name", message)
    if place.is_list and not _says(outer[-1].schema, frozenset({"array"})):
        yield Detail(
            ".".join((*outer[-1].at, "type")), "not_an_array", 'With keywords on items, say `"type": "array"`.'
        )
    if place.is_list:
        outer = outer[:-1]
    for one in outer:
        if not _says(one.schema, frozenset({"object"})):
            yield Detail(".".join((*one.at, "type")), "not_an_object", 'With keywords inside, say `"type": "object"`.')


def _contradictions(place: Place, around: list[Place]) -> Iterator[Detail]:
    """Yield contradictions with keywords at the same place or around it."""
    for name, other, message in _CONTRADICTIONS:
        if place.schema.get(name) and any(_is_on(one.schema, other) for one in [place, *around]):
            yield Detail(".".join((*place.at, name)), "contradiction", f"Not together with {other}. {message}")
    if any(_is_on(one.schema, ENCRYPTED) for one in around):
        yield Detail(".".join(place.at), "contradiction", f"Within what has {ENCRYPTED} there are no keywords.")


def _is_on(schema: dict[str, Any], keyword: str) -> bool:
    return schema.get(keyword, False) is not False


def _says(schema: dict[str, Any], types: frozenset[str]) -> bool:
    """Return whether the schema's own `type` lets nothing in but these, and null."""
    named = _named(schema)
    return bool(named) and named <= types


def _says_one(schema: dict[str, Any]) -> bool:
    """Return whether the schema's own `type` is one, besides null; a whole number is a number."""
    return len(_named(schema)) == 1 or _named(schema) == {"integer", "number"}


def _named(schema: dict[str, Any]) -> set[str]:
    given = schema.get("type")
    named = {given} if isinstance(given, str) else set(given) if isinstance(given, list) else set()
    return named - {"null"}


def _is_list_of_roles(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _MAX_ROLES
        and all(isinstance(name, str) and 0 < len(name) <= 50 for name in value)
        and len(set(value)) == len(value)
    )


def _is_reference(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value)
    return (
        isinstance(value, dict)
        and value.keys() <= {"type", "on_delete"}
        and isinstance(value.get("type"), str)
        and value.get("on_delete", ON_DELETE[0]) in ON_DELETE
    )


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_ROLES: Final = f"Give a list of names of roles, or {OWNER}."
_VALUES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    UNIQUE: (_is_flag, "Say true or false."),
    INDEX: (_is_flag, "Say true or false."),
    ENCRYPTED: (_is_flag, "Say true or false."),
    SEARCH: (lambda value: isinstance(value, str) and value in WEIGHTS, f"Give a weight: {', '.join(WEIGHTS)}."),
    REFERENCE: (_is_reference, f"Give the key of a type, or {{type, on_delete: {'|'.join(ON_DELETE)}}}."),
    READ: (_is_list_of_roles, _ROLES),
    WRITE: (_is_list_of_roles, _ROLES),
}
