"""A resource as the cells of a table, and back: what a spreadsheet shows, and what it means.

A schema's plain properties have a column each, `data.<path>`; what has none, or does not fit into its own (a null, an
empty text, a text where the schema says a number), stays in the column `data`, as JSON. So nothing is lost on the way
out, and a cell without content means that there is no such property.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.api.parser import parse_json
from core.errors import ParseFailed, PayloadTooLarge
from core.spreadsheets import neutralised, original

Path = tuple[str, ...]

TEXT: Final = "string"
WHOLE: Final = "integer"
NUMBER: Final = "number"
BOOLEAN: Final = "boolean"
JSON: Final = "json"

MOST_COLUMNS: Final = 500
_DEEPEST: Final = 8
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    TEXT: (str,),
    WHOLE: (int,),
    NUMBER: (int, float),
    BOOLEAN: (bool,),
    JSON: (list, dict, str, int, float, bool),
}
_BOOLEANS: Final = {"true": True, "false": False, "TRUE": True, "FALSE": False, "True": True, "False": False}


@dataclass(frozen=True, slots=True)
class Column:
    """A path into `data`, and what its cells are read as."""

    path: Path
    kind: str

    @property
    def name(self) -> str:
        return ".".join(("data", *self.path))


def columns_of(schema: Mapping[str, Any]) -> tuple[Column, ...]:
    """Return a column for each property that the schema names, by the alphabet: a stored schema has no order."""
    return tuple(_columns(schema, ()))[:MOST_COLUMNS]


def _columns(schema: Mapping[str, Any], path: Path) -> Iterator[Column]:
    properties = schema.get("properties")
    for name, rules in sorted((properties if isinstance(properties, dict) else {}).items()):
        here = (*path, name)
        if not name or "." in name or not isinstance(rules, dict):
            continue
        if isinstance(rules.get("properties"), dict) and len(here) < _DEEPEST:
            yield from _columns(rules, here)
        else:
            yield Column(here, _kind_of(rules))


def _kind_of(rules: Mapping[str, Any]) -> str:
    declared = rules.get("type")
    types = [declared] if isinstance(declared, str) else list(declared or ())
    known = [name for name in types if name != "null"]
    return known[0] if len(known) == 1 and known[0] in {TEXT, WHOLE, NUMBER, BOOLEAN} else JSON


def take_out(data: dict[str, Any], column: Column) -> Any:
    """Return the value of the column and remove it from `data`, or None where there is none that fits a cell."""
    parents = [data]
    for name in column.path[:-1]:
        inner = parents[-1].get(name)
        if not isinstance(inner, dict):
            return None
        parents.append(inner)
    last = column.path[-1]
    value = parents[-1].get(last)
    if not _fits(value, column.kind):
        return None
    del parents[-1][last]
    for parent, name in zip(reversed(parents[:-1]), reversed(column.path[:-1]), strict=True):
        if not parent[name]:
            del parent[name]
    return value


def _fits(value: Any, kind: str) -> bool:
    if value is None or value == "":
        return False
    if type(value) is bool:
        return kind in {BOOLEAN, JSON}
    return isinstance(value, _TYPES[kind])


def cell_of(value: Any, kind: str) -> str:
    """Return a value of the column as it is written."""
    if value is None:
        return ""
    if kind == TEXT:
        return neutralised(value)
    return orjson.dumps(value).decode() if kind != JSON else neutralised(orjson.dumps(value).decode())


def value_of(text: str, kind: str) -> Any:
    """Return what the cell says; a text that is no value of this kind stays a text, for the schema to refuse."""
    if kind == TEXT:
        return original(text)
    if kind == BOOLEAN:
        return _BOOLEANS.get(text.strip(), text)
    try:
        value = parse_json(original(text).encode())
    except (ParseFailed, PayloadTooLarge):
        return text
    if kind == JSON:
        return value
    return value if type(value) in (int, float) else text


def put_in(data: dict[str, Any], path: Path, value: Any) -> bool:
    """Set the value at the path of `data`; return whether there was a way to it."""
    inner: Any = data
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
        if not isinstance(inner, dict):
            return False
    inner[path[-1]] = value
    return True


def tags_cell(tags: Sequence[str]) -> str:
    """Return the tags, separated by commas; one that has a comma of its own stands in quotes."""
    if not any("," in tag or '"' in tag for tag in tags):
        return neutralised(",".join(tags))
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(tags)
    return neutralised(line.getvalue())


def tags_of(cell: str) -> list[str]:
    """Return the tags that a cell names."""
    text = original(cell)
    if '"' not in text:
        return [tag.strip() for tag in text.split(",") if tag.strip()]
    return [tag.strip() for row in csv.reader([text]) for tag in row if tag.strip()]
