"""The formats of an export: how a part of the rows is written, and how the parts make a file."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import IO, Any, ClassVar, Final

import orjson

from core.spreadsheets import neutralised
from resources.columns import BOOLEAN, JSON, NUMBER, TEXT, WHOLE, Column, Taker, cell_of, tags_cell

_CHUNK: Final = 256 * 1024

Opened = Iterable[IO[bytes]]


class Format(ABC):
    """One format; an instance knows the columns, which stay the same in all parts of a file."""

    name: ClassVar[str]
    content_type: ClassVar[str]
    most_rows: ClassVar[int | None] = None

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._taker = Taker(columns)

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

_FREE: Final = frozenset({"name", "description", "status", "external_id", "owner.name"})
"""Those of them that may begin with anything."""

_TAGS: Final = BEFORE_DATA.index("tags")


def header(columns: Sequence[Column]) -> list[str]:
    """Return the names of a table's columns; what no other column takes is in the last one, as JSON."""
    return [*BEFORE_DATA, *(column.name for column in columns), "data"]


def row_values(row: dict[str, Any], taker: Taker) -> list[Any]:
    """Return the values of a row, in the order of `header`; those of `data` are taken out of it."""
    owner, data = row["owner"], row["data"]
    values = [
        *(row["id"], row["type"], row["name"], row["description"], row["status"], row["visibility"], row["tags"]),
        *(row["external_id"], owner["id"], owner["name"], row["version"], row["schema_version"], row["access"]),
        *(row["created_at"], row["updated_at"]),
    ]
    taker.take(data, values)
    values.append(data or None)
    return values


class CsvFormat(Format):
    """A table: RFC 4180, UTF-8, a header; texts that a spreadsheet would run stand behind an apostrophe."""

    name = "csv"
    content_type = "text/csv; charset=utf-8"

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        kinds = [*(TEXT if name in _FREE else "" for name in BEFORE_DATA), *(column.kind for column in columns), JSON]
        self._texts = [place for place, kind in enumerate(kinds) if kind == TEXT]
        self._others = [(place, _SHOWN[kind]) for place, kind in enumerate(kinds) if kind in _SHOWN]

    def begin(self, to: IO[bytes]) -> None:
        to.write(_line([neutralised(name) for name in header(self.columns)]).encode())

    def write(self, rows: list[str], to: IO[bytes], *, is_first: bool) -> None:
        to.write("".join([_line(self._cells(orjson.loads(row))) for row in rows]).encode())

    def _cells(self, row: dict[str, Any]) -> list[Any]:
        cells = row_values(row, self._taker)
        for place in self._texts:
            if (text := cells[place]) and text[0] in _FORMULAS:
                cells[place] = neutralised(text)
        for place, show in self._others:
            if cells[place] is not None:
                cells[place] = show(cells[place])
        cells[_TAGS] = tags_cell(cells[_TAGS]) if cells[_TAGS] else ""
        return cells


def _line(cells: Sequence[Any]) -> str:
    """Return a line of the table, as `csv.writer` writes it into a text: three times as fast."""
    texts = ["" if cell is None else cell if type(cell) is str else str(cell) for cell in cells]
    line = ",".join(texts)
    if '"' in line or not line.isprintable():
        line = ",".join(map(_quoted, texts))
    elif line.count(",") >= len(texts):
        line = ",".join([f'"{text}"' if "," in text else text for text in texts])
    return f"{line}\r\n"


def _quoted(cell: str) -> str:
    if "," in cell or '"' in cell or "\n" in cell or "\r" in cell:
        return f'"{cell.replace(_QUOTE, _QUOTE * 2)}"'
    return cell


_QUOTE: Final = '"'

_FORMULAS: Final = frozenset("=+-@'\t\r")
"""How a text may begin that must not stand in a cell as it is."""

_SHOWN: Final[dict[str, Callable[[Any], str]]] = {
    kind: partial(cell_of, kind=kind) for kind in (WHOLE, NUMBER, BOOLEAN, JSON)
}
"""How a value is written that is no text of its own."""
