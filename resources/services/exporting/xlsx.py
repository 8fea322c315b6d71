"""XLSX, written by ourselves: parts that are rows of one sheet can be joined after a worker was killed.

Texts are inline strings: a cell of that type is shown and never run, whatever it begins with.
"""

import io
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import IO, Any, Final
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import orjson

from resources.services.exporting.formats import BEFORE_DATA, Format, Opened, header, row_values

LONGEST_CELL: Final = 32_767
"""What a spreadsheet keeps of a text; a longer one is cut, and ends in an ellipsis."""

_EXACT: Final = 2**53
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]|_x(?=[0-9A-Fa-f]{4}_)")
_ODD: Final = ("\\", "&", "<", ">", "_x", "\ufffe", "\uffff")
"""What JSON may hold of all that XML cannot: control characters and lone surrogates stand behind a backslash there."""

_KEPT: Final = ' xml:space="preserve"'

_CHUNK: Final = 256 * 1024

_FIXED: Final[dict[str, str]] = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        'officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
        '<sheets><sheet name="Export" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        'worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEET: Final = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_SHEET_END: Final = "</sheetData></worksheet>"

CONTENT_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class XlsxFormat(Format):
    """A workbook with one sheet: a header, then a row for each resource."""

    name = "xlsx"
    content_type = CONTENT_TYPE
    most_rows = 1_048_575

    def begin(self, to: IO[bytes]) -> None:
        to.write(_row(header(self.columns)).encode())

    def write(self, rows: list[str], to: IO[bytes], *, is_first: bool) -> None:
        shown = [self._shown(row, is_odd=is_odd) for row, is_odd in zip(rows, _odd_rows(rows), strict=True)]
        to.write("".join(shown).encode())

    def _shown(self, row: str, *, is_odd: bool) -> str:
        values = row_values(orjson.loads(row), self._taker)
        # Where no text of a row needs escaping or cutting, all stand as they are.
        return _row(values) if is_odd or len(row) > LONGEST_CELL else _plain_row(values)

    def join(self, parts: Opened, to: IO[bytes]) -> None:
        _join(parts, to)


def write_workbook(rows: Iterable[Sequence[Any]], to: IO[bytes]) -> None:
    """Write a workbook of few rows."""
    _join([io.BytesIO("".join(map(_row, rows)).encode())], to)


def _odd_rows(rows: Sequence[str]) -> Iterable[bool]:
    """Return of each row whether it holds one of the signs; one look at all of them together mostly tells."""
    whole = "".join(rows)
    present = [sign for sign in _ODD if sign in whole]
    return [any(sign in row for sign in present) for row in rows] if present else [False] * len(rows)


def _join(parts: Opened, to: IO[bytes]) -> None:
    with ZipFile(to, "w", ZIP_DEFLATED, compresslevel=1) as workbook:
        for name, content in _FIXED.items():
            workbook.writestr(_entry(name), _DECLARATION + content)
        with workbook.open(_entry("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as sheet:
            sheet.write((_DECLARATION + _SHEET).encode())
            for part in parts:
                with part:
                    shutil.copyfileobj(part, sheet, _CHUNK)
            sheet.write(_SHEET_END.encode())


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name)
    entry.compress_type = ZIP_DEFLATED
    return entry


def _row(values: Sequence[Any]) -> str:
    return f"<row>{''.join(map(_cell, values))}</row>"


def _cell(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "<c/>"
    if value is True or value is False:
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float) and abs(value) <= _EXACT:
        return f"<c><v>{value!r}</v></c>"
    text = _text(value)
    return _cell_of_text(text, is_kept="\n" in text or text.strip() != text)


def _cell_of_text(text: str, *, is_kept: bool) -> str:
    """Return a cell of escaped text; `is_kept` for one whose white space a reader may take for that of the file."""
    return f'<c t="inlineStr"><is><t{_KEPT if is_kept else ""}>{text}</t></is></c>'


def _plain_text(value: str | None) -> str:
    # `strip` returns the text itself where there is nothing to take off.
    if value and value.strip() is value:
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return _cell_of_text(value, is_kept=True) if value else "<c/>"


def _plain_row(values: Sequence[Any]) -> str:
    """Return a row whose texts need no escaping; of the cells before those of `data`, it is known what they hold."""
    id_, type_, name, description, status, visibility, tags, external_id, owner_id, owner = values[:10]
    version, schema_version, access, created_at, updated_at = values[10:_FIXED_CELLS]
    return (
        f'<row><c t="inlineStr"><is><t>{id_}</t></is></c><c t="inlineStr"><is><t>{type_}</t></is></c>'
        f"{_plain_text(name)}{_plain_text(description)}{_plain_text(status)}"
        f'<c t="inlineStr"><is><t>{visibility}</t></is></c>{_plain_text(", ".join(tags))}{_plain_text(external_id)}'
        f'<c t="inlineStr"><is><t>{owner_id}</t></is></c>{_plain_text(owner)}<c><v>{version}</v></c>'
        f'<c><v>{schema_version}</v></c><c t="inlineStr"><is><t>{access}</t></is></c>'
        f'<c t="inlineStr"><is><t>{created_at}</t></is></c><c t="inlineStr"><is><t>{updated_at}</t></is></c>'
        f"{''.join([_PLAIN_CELLS[type(value)](value) for value in values[_FIXED_CELLS:]])}</row>"
    )


_FIXED_CELLS: Final = len(BEFORE_DATA)

_PLAIN_CELLS: Final[dict[type, Callable[[Any], str]]] = {
    str: _plain_text,
    type(None): lambda _: "<c/>",
    **dict.fromkeys((bool, int, float, list, dict), _cell),
}
"""How a value is shown whose texts need no escaping, by its type."""


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if len(text) > LONGEST_CELL:
        text = text[: LONGEST_CELL - 1] + "…"
    return escape(_UNWRITABLE.sub(_escaped, text))


def _escaped(match: re.Match[str]) -> str:
    """Return what stands for a character that XML cannot hold, or for a text that would be read as such."""
    found = match.group()
    return "_x005F_x" if found == "_x" else f"_x{ord(found):04X}_"
