"""The formats of an export: how a part of the rows is written, and how the parts make a file."""

import csv
import io
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import IO, Any, ClassVar, Final

import orjson

from core.spreadsheets import neutralised
from resources.columns import JSON, TEXT, Column, cell_of, tags_cell, take_out

_CHUNK: Final = 256 * 1024

Opened = Iterable[IO[bytes]]


class Format(ABC):
    """One format; an instance knows the columns, which stay the same in all parts of a file."""

    name: ClassVar[str]
    content_type: ClassVar[str]
    most_rows: ClassVar[int | None] = None

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns

    def begin(self, to: IO[bytes]) -> None:
        """Write what stands before the first row, if anything does, to the first part."""
        return

    @abstractmethod
    def write(self, rows: list[str], to: IO[bytes], *, is_first: bool) -> None:
        """Write rows, each of them JSON, to a part; `is_first` for the first rows of the whole file."""

    def join(self, parts: Opened, to: IO[bytes]) -> None:
        """Put the parts together."""
        for part in parts:
            with part:
                shutil.copyfileobj(part, to, _CHUNK)


class NdjsonFormat(Format):
    """A JSON object in each line."""

    name = "ndjson"
    content_type = "application/x-ndjson"

    def write(self, rows: list[str], to: IO[bytes], *, is_first: bool) -> None:
        to.write("\n".join([*rows, ""]).encode())


class JsonFormat(Format):
    """A JSON array with an object in each line."""

    name = "json"
    content_type = "application/json"

    def write(self, rows: list[str], to: IO[bytes], *, is_first: bool) -> None:
        to.write(",\n".join(rows if is_first else ["", *rows]).encode())

    def join(self, parts: Opened, to: IO[bytes]) -> None:
        to.write(b"[\n")
        super().join(parts, to)
        to.write(b"\n]\n")


BEFORE_DATA: Final[tuple[str, ...]] = (
    *("id", "type", "name", "description", "status", "visibility", "tags", "external_id", "owner.id", "owner.name"),
    *("version", "schema_version", "access", "created_at", "updated_at"),
)
"""The columns that every table of resources has before those of `data`."""


_TAGS: Final = BEFORE_DATA.index("tags")


def odd_rows(rows: Sequence[str], signs: Sequence[str]) -> Iterable[bool]:
    """Return of each row whether it holds one of the signs; one look at all of them together mostly tells."""
    whole = "".join(rows)
    present = [sign for sign in signs if sign in whole]
    return [any(sign in row for sign in present) for row in rows] if present else [False] * len(rows)


def header(columns: Sequence[Column]) -> list[str]:
    """Return the names of a table's columns; what no other column takes is in the last one, as JSON."""
    return [*BEFORE_DATA, *(column.name for column in columns), "data"]


def row_values(row: dict[str, Any], columns: Sequence[Column]) -> list[Any]:
    """Return the values of a row, in the order of `header`; those of `data` are taken out of it."""
    owner, data = row["owner"], row["data"]
    values = [
        *(row["id"], row["type"], row["name"], row["description"], row["status"], row["visibility"], row["tags"]),
        *(row["external_id"], owner["id"], owner["name"], row["version"], row["schema_version"], row["access"]),
        *(row["created_at"], row["updated_at"]),
        *(take_out(data, column) for column in columns),
    ]
    values.append(data or None)
    return values


class CsvFormat(Format):
    """A table: RFC 4180, UTF-8, a header; texts that a spreadsheet would run stand behind an apostrophe."""

    name = "csv"
    content_type = "text/csv; charset=utf-8"

    def begin(self, to: IO[bytes]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerow(map(neutralised, header(self.columns)))
        to.write(text.getvalue().encode())

    def write(self, rows: list[str], to: IO[bytes], *, is_first: bool) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        kinds = [*(column.kind for column in self.columns), JSON]
        for row, is_odd in zip(rows, odd_rows(rows, _FORMULAS), strict=True):
            values = row_values(orjson.loads(row), self.columns)
            writer.writerow(_neutral_cells(values, kinds) if is_odd else _plain_cells(values, kinds))
        to.write(text.getvalue().encode())


_FORMULAS: Final = ('"=', '"+', '"-', '"@', "\"'", '"\\t', '"\\r')
"""How a text begins, as JSON, that must not stand in a cell as it is."""


def _neutral_cells(values: list[Any], kinds: list[str]) -> list[Any]:
    start = len(BEFORE_DATA)
    cells = [cell_of(value, TEXT) if type(value) is str else value for value in values[:start]]
    cells += [cell_of(value, kind) for value, kind in zip(values[start:], kinds, strict=True)]
    cells[_TAGS] = tags_cell(values[_TAGS]) if values[_TAGS] else ""
    return cells


def _plain_cells(values: list[Any], kinds: list[str]) -> list[Any]:
    """Return the same of values none of which is a text to be neutralised."""
    start = len(BEFORE_DATA)
    cells = values[:start]
    cells += [
        value if kind == TEXT else cell_of(value, kind) for value, kind in zip(values[start:], kinds, strict=True)
    ]
    cells[_TAGS] = tags_cell(values[_TAGS]) if values[_TAGS] else ""
    return cells
