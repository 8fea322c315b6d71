"""What a row of an import says of a resource: the fields of POST, checked as POST checks them, many times faster."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from core import events
from core.api.fields import holds_hidden_characters
from core.api.parser import MAX_DEPTH
from core.errors import Detail, ValidationFailed
from resources.columns import JSON, columns_of, put_in, tags_of, value_of
from resources.schemas.compiled import Schema
from resources.services.importing.sources import Record, Unreadable
from resources.services.judging import MAX_DATA_BYTES
from resources.visibility import Visibility

MOST_TAGS: Final = 50
_LINE_CHARACTERS: Final = frozenset("\n\r\t")
_JOINERS: Final = frozenset("\u200c\u200d")
_VISIBILITIES: Final = frozenset(Visibility.values)
_WRITTEN: Final = ("name", "description", "visibility", "tags", "external_id", "data")
_IGNORED: Final = frozenset(
    {"id", "status", "owner", "version", "schema_version", "access", "created_at", "updated_at", "deleted_at"}
    | {"owner.id", "owner.name", "type"}
)
"""What only the server writes; an export has it, and it may stay there."""

_KNOWN: Final = _IGNORED.union(_WRITTEN)


@dataclass(slots=True)
class Row:
    """A row to be written, or what is wrong with it."""

    number: int
    name: str = ""
    description: str = ""
    visibility: str | None = None
    tags: list[str] = field(default_factory=list)
    external_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    raw_data: bytes = b"{}"
    stored: dict[str, Any] | None = None
    """What is kept of `data`, where keywords make it something else."""

    faults: list[Detail] = field(default_factory=list)
    id: str = ""
    """What the resource will be called, if it is new: a UUID, given when the row was read."""

    spelt: "Spelt | None" = None
    """What will be written of it if it is new, where that was spelt out ahead."""


@dataclass(slots=True)
class Spelt:
    """A new resource, its tags and its event, as lines of COPY."""

    resource: str
    tags: str | None
    """None where only PostgreSQL knows how a tag is in lower case."""

    event: events.Spelt


class Reader:
    """Reads records as rows of one type, by its present schema."""

    def __init__(self, type_key: str, schema: Mapping[str, Any], judge: Schema, columns: Sequence[str] = ()) -> None:
        """Find what each column of a table means; raises `Unreadable` for one that means nothing."""
        self._type = type_key
        self._judge = judge
        self._cells = _meanings(columns, schema) if columns else []
        self._is_table = bool(columns)

    def read(self, record: Record) -> Row:
        """Return the row that the record says."""
        row = Row(record.number)
        if record.fault:
            row.faults.append(Detail(None, "malformed", record.fault))
            return row
        fields = self._fields_of(record.values, row) if self._is_table else record.values
        if not isinstance(fields, dict):
            row.faults.append(Detail(None, "not_an_object", "A row is a JSON object."))
            return row
        self._take(fields, row)
        return row

    def _fields_of(self, cells: list[str], row: Row) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        data: dict[str, Any] = {}
        for meaning, cell in zip(self._cells, cells, strict=False):
            if cell and meaning is not None:
                meaning(cell, fields, data, row)
        if "data" in fields and isinstance(fields["data"], dict):
            data = _laid_over(fields["data"], data)
        elif "data" in fields:
            return fields
        fields["data"] = data
        return fields

    def _take(self, fields: dict[str, Any], row: Row) -> None:
        for name in fields.keys() - _KNOWN:
            row.faults.append(Detail(name[:100], "unknown_field", "There is no such field."))
        if fields.get("type", self._type) != self._type:
            row.faults.append(Detail("type", "wrong_type", f"This is an import of {self._type}."))
        row.name = _line(row, "name", fields.get("name"), 255)
        row.description = _text(row, "description", fields.get("description", ""))
        row.tags = _tags(row, fields.get("tags", []))
        if fields.get("external_id") is not None:
            row.external_id = _line(row, "external_id", fields["external_id"], 200)
        if "visibility" in fields:
            row.visibility = _visibility(row, fields["visibility"])
        self._take_data(fields.get("data", {}), row)

    def _take_data(self, data: Any, row: Row) -> None:
        if not isinstance(data, dict):
            row.faults.append(Detail("data", "not_an_object", "Give a JSON object."))
            return
        row.data, row.raw_data = data, orjson.dumps(data)
        if len(row.raw_data) > MAX_DATA_BYTES:
            message = f"Data may weigh {MAX_DATA_BYTES // 1024} KiB as JSON."
            row.faults.append(Detail("data", "too_large", message))
            return
        try:
            self._judge.validate(data)
        except ValidationFailed as error:
            row.faults.extend(error.details)


Meaning = Callable[[str, dict[str, Any], dict[str, Any], Row], None]


def _meanings(columns: Sequence[str], schema: Mapping[str, Any]) -> list[Meaning | None]:
    """Return what to do with a cell of each column: `name`, `data.price`, or `price` where the schema has one."""
    kinds = {column.path: column.kind for column in columns_of(schema)}
    unknown = [name[:100] for name in columns if not _is_known(name, kinds)]
    if unknown:
        raise Unreadable("unknown_column", f"There is no such column: {', '.join(sorted(unknown)[:10])}.")
    return [_meaning(name, kinds) for name in columns]


def _is_known(name: str, kinds: Mapping[tuple[str, ...], str]) -> bool:
    is_path = name.startswith("data.") and all(name.split(".")) and name.count(".") < MAX_DEPTH
    return not name or name in _WRITTEN or name in _IGNORED or is_path or tuple(name.split(".")) in kinds


def _meaning(name: str, kinds: Mapping[tuple[str, ...], str]) -> Meaning | None:
    if name in _FIELDS:
        return _FIELDS[name]
    if not name or name in _IGNORED:
        return None
    path = tuple(name.removeprefix("data.").split("."))
    kind = kinds.get(path, JSON)
    if len(path) == 1:
        return _at_the_top(path[0], kind)

    def put(cell: str, fields: dict[str, Any], data: dict[str, Any], row: Row) -> None:
        if not put_in(data, path, value_of(cell, kind)):
            row.faults.append(Detail(f"data.{'.'.join(path)}", "conflict", "Another column gives what is above it."))

    return put


def _at_the_top(name: str, kind: str) -> Meaning:
    def put(cell: str, fields: dict[str, Any], data: dict[str, Any], row: Row) -> None:
        data[name] = value_of(cell, kind)

    return put


def _field(name: str, read: Callable[[str], Any]) -> Meaning:
    def put(cell: str, fields: dict[str, Any], data: dict[str, Any], row: Row) -> None:
        fields[name] = read(cell)

    return put


_FIELDS: Final[dict[str, Meaning]] = {
    **{name: _field(name, lambda cell: value_of(cell, "string")) for name in ("name", "description", "external_id")},
    "visibility": _field("visibility", str.strip),
    "type": _field("type", str.strip),
    "tags": _field("tags", tags_of),
    "data": _field("data", lambda cell: value_of(cell, JSON)),
}


def _laid_over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both objects as one; where they meet, `above` has its way."""
    for name, value in above.items():
        inner = below.get(name)
        below[name] = _laid_over(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return below


def _line(row: Row, name: str, value: Any, longest: int) -> str:
    """Return a line of text as `NameField` reads it, or note what is wrong."""
    if value is None:
        row.faults.append(Detail(name, "required", "This field is required."))
        return ""
    if not isinstance(value, str):
        row.faults.append(Detail(name, "invalid", "Not a valid string."))
        return ""
    text = value.strip()
    if 0 < len(text) <= longest and text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", text)
    if not text:
        row.faults.append(Detail(name, "blank", "This field may not be blank."))
    elif len(text) > longest:
        row.faults.append(Detail(name, "max_length", f"Ensure this field has no more than {longest} characters."))
    elif not text.isprintable() and holds_hidden_characters(text):
        row.faults.append(Detail(name, "hidden_characters", "Control and invisible characters are not allowed here."))
    return text


def _text(row: Row, name: str, value: Any) -> str:
    """Return lines of text as `PlainTextField` reads them, or note what is wrong."""
    if not isinstance(value, str):
        row.faults.append(Detail(name, "invalid", "Not a valid string."))
        return ""
    text = value.strip()
    if len(text) <= 10_000 and text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", text)
    if len(text) > 10_000:
        row.faults.append(Detail(name, "max_length", "Ensure this field has no more than 10000 characters."))
    elif not text.isprintable() and holds_hidden_characters(text, allowed=_JOINERS | _LINE_CHARACTERS):
        row.faults.append(Detail(name, "hidden_characters", "Control and invisible characters are not allowed here."))
    return text


def _tags(row: Row, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_TAGS:
        row.faults.append(Detail("tags", "invalid", f"Give a list of {MOST_TAGS} tags at most."))
        return []
    return list(dict.fromkeys(_line(row, "tags", tag, 50) for tag in value))


def _visibility(row: Row, value: Any) -> str | None:
    if not isinstance(value, str) or value not in _VISIBILITIES:
        row.faults.append(Detail("visibility", "invalid_choice", f"Give one of {', '.join(Visibility.values)}."))
        return None
    return value
