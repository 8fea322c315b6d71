"""A resource as the cells of a table, and back: what a spreadsheet shows, and what it means.

A schema's plain properties have a column each, `data.<path>`; what has none, or does not fit into its own (a null, an
empty text, a text where the schema says a number), stays in the column `data`, as JSON. So nothing is lost on the way
out, and a cell without content means that there is no such property.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
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
_TYPES: Final[dict[str, frozenset[type]]] = {
    TEXT: frozenset({str}),
    WHOLE: frozenset({int}),
    NUMBER: frozenset({int, float}),
    BOOLEAN: frozenset({bool}),
    JSON: frozenset({list, dict, str, int, float, bool}),
}
"""What fits into a cell of each kind: exact types, as JSON is read; a boolean is no number."""

_PLAIN_NUMBER: Final = re.compile(r"0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
"""Numbers about which no two readers differ: most cells, read without the strict parser."""

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


class Taker:
    """Takes the values of columns out of `data`, in one walk; made once for all rows of a file."""

    def __init__(self, columns: Sequence[Column], depth: int = 0) -> None:
        self.width: Final = len(columns)
        self._branches: Final[list[tuple[str, frozenset[type], Taker | None]]] = [
            _branch(name, list(group), depth) for name, group in groupby(columns, lambda column: column.path[depth])
        ]

    def take(self, data: dict[str, Any], into: list[Any]) -> None:
        """Append the value of each column and remove it from `data`; None where there is none that fits a cell."""
        for name, types, below in self._branches:
            value = data.get(name)
            if below is not None and type(value) is dict and value:
                below.take(value, into)
                if len(value) == 0:
                    del data[name]
            elif type(value) in types and value != "":
                del data[name]
                into.append(value)
            else:
                into.extend([None] * (1 if below is None else below.width))


def _branch(name: str, columns: Sequence[Column], depth: int) -> tuple[str, frozenset[type], Taker | None]:
    first = columns[0]
    if len(first.path) == depth + 1:
        return name, _TYPES[first.kind], None
    return name, frozenset(), Taker(columns, depth + 1)


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
    if kind != JSON and _PLAIN_NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
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
    joined = ",".join(tags)
    if '"' not in joined and joined.count(",") == len(tags) - 1:
        return neutralised(joined)
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(tags)
    return neutralised(line.getvalue())


def tags_of(cell: str) -> list[str]:
    """Return the tags that a cell names."""
    text = original(cell)
    if '"' not in text:
        return [tag.strip() for tag in text.split(",") if tag.strip()]
    return [tag.strip() for row in csv.reader([text]) for tag in row if tag.strip()]
