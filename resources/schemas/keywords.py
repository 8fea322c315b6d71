"""The keywords of our own in a schema, read once for each version: what stands at which path of `data`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Path = tuple[str, ...]
"""The names of the properties that lead to a value within `data`."""

UNIQUE: Final = "x-unique"
INDEX: Final = "x-index"
SEARCH: Final = "x-search"
REFERENCE: Final = "x-ref"
ENCRYPTED: Final = "x-encrypted"
READ: Final = "x-read"
WRITE: Final = "x-write"
ALL: Final = (UNIQUE, INDEX, SEARCH, REFERENCE, ENCRYPTED, READ, WRITE)

OPEN: Final[frozenset[str]] = frozenset({UNIQUE, INDEX, SEARCH, REFERENCE, ENCRYPTED, READ, WRITE})
"""The keywords that do something; a schema with another one is refused."""

ON_ITEMS: Final = frozenset({SEARCH, REFERENCE})
"""What may stand on the `items` of a list as well."""

WEIGHTS: Final = ("A", "B", "C", "D")

OWNER: Final = "owner"
"""In lists of roles: whoever owns the resource, whatever their role."""

RESTRICT: Final = "restrict"
SET_NULL: Final = "set_null"
CASCADE: Final = "cascade"
ON_DELETE: Final = (RESTRICT, SET_NULL, CASCADE)
"""What becomes of a resource when the one that it refers to is deleted."""


@dataclass(frozen=True, slots=True)
class Searched:
    """Text that full-text search finds, and with which weight; `is_list`: each item of a list."""

    path: Path
    weight: str
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that is the id of a resource of the type; `is_list`: each item of a list."""

    path: Path
    type: str
    on_delete: str = RESTRICT
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may read, or write, what stands at the path (and below it), by role; administrators always may."""

    path: Path
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Keywords:
    """Every keyword of one schema."""

    unique: tuple[Path, ...] = ()
    index: tuple[Path, ...] = ()
    search: tuple[Searched, ...] = ()
    references: tuple[Reference, ...] = ()
    encrypted: tuple[Path, ...] = ()
    read: tuple[Rule, ...] = ()
    write: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, schema: dict[str, Any]) -> "Keywords":
        """Return the keywords of a schema that passed the lint."""
        found = list(places(schema))
        return cls(
            unique=tuple(place.path for place in found if place.schema.get(UNIQUE)),
            index=tuple(place.path for place in found if place.schema.get(INDEX)),
            search=tuple(
                Searched(place.path, place.schema[SEARCH], place.is_list) for place in found if SEARCH in place.schema
            ),
            references=tuple(_reference(place) for place in found if REFERENCE in place.schema),
            encrypted=tuple(place.path for place in found if place.schema.get(ENCRYPTED)),
            read=tuple(Rule(place.path, frozenset(place.schema[READ])) for place in found if READ in place.schema),
            write=tuple(Rule(place.path, frozenset(place.schema[WRITE])) for place in found if WRITE in place.schema),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A subschema where keywords may stand: the path of its value in `data`, and its own path in the schema."""

    path: Path
    schema: dict[str, Any]
    at: Path
    is_list: bool = False


def places(schema: dict[str, Any], path: Path = (), at: Path = ("schema",)) -> Iterator[Place]:
    """Yield every place that `properties` lead to, and the `items` of the lists there, in the order of the schema."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    for name, child in properties.items():
        if not isinstance(child, dict):
            continue
        own, where = (*path, name), (*at, "properties", name)
        yield Place(own, child, where)
        if isinstance(child.get("items"), dict):
            yield Place(own, child["items"], (*where, "items"), is_list=True)
        yield from places(child, own, where)


def value_at(data: Any, path: Path) -> Any:
    """Return what stands at the path of `data`, or None where nothing does."""
    for name in path:
        if not isinstance(data, dict):
            return None
        data = data.get(name)
    return data


def _reference(place: Place) -> Reference:
    given = place.schema[REFERENCE]
    if isinstance(given, str):
        return Reference(place.path, given, is_list=place.is_list)
    return Reference(place.path, given["type"], given.get("on_delete", RESTRICT), is_list=place.is_list)
