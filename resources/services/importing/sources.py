"""The rows of an uploaded file, one after the other, each with the place at which the next begins.

A place is a byte offset, so that work goes on where it stopped without reading what comes before. What is wrong with
one row is told of that row; a file that cannot be read on from some point raises `Unreadable`.
"""

import csv
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, ClassVar, Final

from core.api.parser import parse_json
from core.errors import ParseFailed

LONGEST_ROW: Final = 1024 * 1024
NO_UTF_8: Final = "The file is not UTF-8; save it as UTF-8."
MOST_COLUMNS: Final = 1000

_BOM: Final = b"\xef\xbb\xbf"
_OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_CHUNK: Final = 256 * 1024
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_STRUCTURE: Final = re.compile(rb'["{}\[\]]')
_STRING_END: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR_END: Final = re.compile(rb"[,\]]")
_DELIMITERS: Final = (",", ";", "\t")

csv.field_size_limit(LONGEST_ROW)


class Unreadable(Exception):  # it is a verdict on a file, not an accident
    """The file cannot be read, or not from some row on; the message says where and why."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(slots=True)
class Record:
    """A row: its number from 1, what it says (or what is wrong with it), the offset at which the next one begins."""

    number: int
    values: Any
    end: int
    fault: str = ""


@dataclass(slots=True)
class Place:
    """Where to read on: the offset, and the number of the row before it."""

    offset: int = 0
    number: int = 0


class Source(ABC):
    """A file in one format; `columns` are those of a table, and stay empty where rows name their fields."""

    name: ClassVar[str]

    def __init__(self, file: IO[bytes], columns: Sequence[str] = (), delimiter: str = ",") -> None:
        self.file = file
        self.columns = tuple(columns)
        self.delimiter = delimiter

    def begin(self) -> Place:
        """Return where the first row begins, or raise `Unreadable`; tables read their header here."""
        self.file.seek(0)
        mark = self.file.read(len(_BOM))
        if mark.startswith(_OTHER_MARKS):
            raise Unreadable("encoding", "The file is UTF-16; save it as UTF-8.")
        return Place(len(_BOM) if mark == _BOM else 0)

    @abstractmethod
    def records(self, place: Place) -> Iterator[Record]:
        """Yield the rows from a place on; raises `Unreadable` where there is no reading on."""

    def count(self, place: Place) -> int:
        """Return how many rows there are from a place on; raises `Unreadable` as `records` does."""
        return sum(1 for _ in self.records(place))

    def _lines(self, offset: int) -> Iterator[bytes]:
        self.file.seek(offset)
        # Django's files look for their methods anew each time.
        read_line = self.file.readline
        while line := read_line(LONGEST_ROW + 1):
            if len(line) > LONGEST_ROW:
                raise _LineTooLong
            yield line


class NdjsonSource(Source):
    """A JSON object in each line; empty lines do not count."""

    name = "ndjson"

    def records(self, place: Place) -> Iterator[Record]:
        offset, number = place.offset, place.number
        try:
            for line in self._lines(offset):
                offset += len(line)
                if line.isspace():
                    continue
                number += 1
                yield _json_record(number, line, offset)
        except _LineTooLong:
            raise _too_long(number + 1) from None


class JsonSource(Source):
    """A JSON array of objects, read a chunk at a time."""

    name = "json"

    def begin(self) -> Place:
        place = super().begin()
        self.file.seek(place.offset)
        head = self.file.read(_CHUNK)
        opening = head.lstrip(b" \t\r\n")
        if not opening.startswith(b"["):
            raise Unreadable("not_an_array", "A JSON file is an array of objects: [{…}, {…}].")
        return Place(place.offset + len(head) - len(opening) + 1)

    def records(self, place: Place) -> Iterator[Record]:
        window, number = _Window(self.file, place.offset), place.number
        while (element := window.next_element(number + 1)) is not None:
            number += 1
            yield _json_record(number, element, window.offset)


class _Window:
    """The part of a file that is being looked at, from `offset` on."""

    def __init__(self, file: IO[bytes], offset: int) -> None:
        self.offset = offset
        self._file = file
        self._file.seek(offset)
        self._bytes = b""
        self._start = 0

    def next_element(self, number: int) -> bytes | None:
        """Return the next element of the array as it stands there, or None after the last."""
        first = self._skip(b"" if number == 1 else b",", number)
        if first == b"]":
            self._refuse_more()
            return None
        return self._element(number)

    def _skip(self, separator: bytes, number: int) -> bytes:
        """Move to the next element, past the separator; return the character that is there."""
        character = self._next_character()
        if separator and character == separator:
            self._advance(1)
            character = self._next_character()
            if character == b"]":
                raise _broken(number)
        elif separator and character != b"]":
            raise _broken(number)
        return character

    def _next_character(self) -> bytes:
        while True:
            space = _SPACE.match(self._bytes, self._start)
            self._advance(space.end() - self._start if space else 0)
            if self._start < len(self._bytes) or not self._read():
                return self._bytes[self._start : self._start + 1]

    def _element(self, number: int) -> bytes:
        while True:
            end = _end_of_value(self._bytes, self._start)
            if end is not None:
                element = self._bytes[self._start : end]
                self._advance(end - self._start)
                return element
            if len(self._bytes) - self._start > LONGEST_ROW or not self._read():
                raise _broken(number)

    def _refuse_more(self) -> None:
        self._advance(1)
        if self._next_character():
            raise Unreadable("malformed", "Something follows the end of the array.")

    def _advance(self, length: int) -> None:
        self._start += length
        self.offset += length

    def _read(self) -> bool:
        chunk = self._file.read(_CHUNK)
        self._bytes = self._bytes[self._start :] + chunk
        self._start = 0
        return bool(chunk)


def _end_of_value(content: bytes, start: int) -> int | None:
    """Return where the object that begins at `start` ends, or None where that is not to be seen.

    A value that is no object ends at the next comma or bracket: it is refused whatever it is.
    """
    if content[start : start + 1] != b"{":
        scalar = _SCALAR_END.search(content, start + 1)
        return scalar.start() if scalar else None
    depth, position = 0, start
    while (found := _STRUCTURE.search(content, position)) is not None:
        character, position = found.group(), found.end()
        if character == b'"':
            closing = _STRING_END.match(content, position)
            if closing is None:
                return None
            position = closing.end()
        else:
            depth += 1 if character in b"{[" else -1
            if depth == 0:
                return position
    return None


class _LineTooLong(Exception):
    """A line, or the lines of one row, hold more than a row may."""


def _too_long(number: int) -> Unreadable:
    return Unreadable("too_long", f"Row {number} is longer than {LONGEST_ROW // 1024} KiB.")


def _broken(number: int) -> Unreadable:
    return Unreadable("malformed", f"Row {number} is no JSON, or longer than {LONGEST_ROW // 1024} KiB.")


def _json_record(number: int, raw: bytes, end: int) -> Record:
    try:
        return Record(number, parse_json(raw), end)
    except ParseFailed as error:
        return Record(number, None, end, fault=error.text.replace("The request body", "The row"))


class CsvSource(Source):
    """A table with a header, as RFC 4180 has it; separated by what separates the header: comma, semicolon or tab."""

    name = "csv"
    _read = 0
    _row_began = 0

    def begin(self) -> Place:
        place = super().begin()
        first = self._first_line(place.offset)
        head = _text_of(first)
        self.delimiter = max(_DELIMITERS, key=head.count)
        self.columns = tuple(name.strip() for name in self._header(head))
        if not any(self.columns):
            raise Unreadable("no_header", "The file has no header: its first line names the columns.")
        if len(self.columns) > MOST_COLUMNS or len(set(self.columns)) != len(self.columns):
            raise Unreadable("header", f"Each column stands once, and there are {MOST_COLUMNS} at most.")
        return Place(place.offset + len(first))

    def _first_line(self, offset: int) -> bytes:
        try:
            return next(self._lines(offset), b"")
        except _LineTooLong:
            raise Unreadable("too_long", f"The header is longer than {LONGEST_ROW // 1024} KiB.") from None

    def _header(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], strict=True, delimiter=self.delimiter), [])
        except csv.Error as error:
            raise Unreadable("header", f"The header cannot be read: {error}.") from None

    def records(self, place: Place) -> Iterator[Record]:
        width = len(self.columns)
        for number, cells in enumerate(self._rows(place), place.number + 1):
            fault = "" if len(cells) <= width else f"The row has {len(cells)} cells, the header {width}."
            yield Record(number, cells, self._read, fault)

    def count(self, place: Place) -> int:
        return sum(1 for _ in self._rows(place))

    def _rows(self, place: Place) -> Iterator[list[str]]:
        number = place.number
        reader = csv.reader(self._texts(place.offset), strict=True, delimiter=self.delimiter)
        try:
            for cells in reader:
                self._row_began = self._read
                if cells:
                    number += 1
                    yield cells
        except csv.Error as error:
            raise Unreadable("malformed", f"Row {number + 1} cannot be read: {error}.") from None
        except _LineTooLong:
            raise _too_long(number + 1) from None

    def _texts(self, offset: int) -> Iterator[str]:
        self._read = self._row_began = offset
        for line in self._lines(offset):
            self._read += len(line)
            if self._read - self._row_began > LONGEST_ROW + 1:
                raise _LineTooLong
            yield line.decode()


def _text_of(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise Unreadable("encoding", NO_UTF_8) from None


SOURCES: Final[dict[str, type[Source]]] = {source.name: source for source in (CsvSource, JsonSource, NdjsonSource)}
