"""Many rows at once: COPY, in its text form, on Django's own connection and in its transaction."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from django.db import connection

_ROWS_AT_ONCE: Final = 500
NULL: Final = "\\N"
"""A cell of COPY without a value."""


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of texts, numbers, ids and None into the table; JSON and arrays are given as PostgreSQL reads them.

    Constraints and triggers hold as for INSERT; a row that breaks one takes all of them back.
    """
    copy_lines(table, columns, map(line_of, rows))


def copy_lines(table: str, columns: Sequence[str], lines: Iterable[str]) -> None:
    """Insert rows that `line_of` has spelt, or somebody else of cells that `cell` has; a text may be several lines."""
    coming = iter(lines)
    names = ", ".join(f'"{name}"' for name in columns)
    # Django puts its own errors in the place of the driver's around its calls, of which COPY is none.
    statement = f'COPY "{table}" ({names}) FROM STDIN'
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        while block := list(islice(coming, _ROWS_AT_ONCE)):
            copy.write("".join(block))


def array(texts: Sequence[str]) -> str:
    """Return an array of texts as PostgreSQL reads it."""
    if not texts:
        return "{}"
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return '{"' + '","'.join(quoted) + '"}'


def line_of(values: Sequence[Any]) -> str:
    """Return the row as a line of COPY."""
    texts = [NULL if value is None else str(value) for value in values]
    whole = "".join(texts)
    # One look at the whole line spares a look at each cell: every null has a backslash, and nothing else has one.
    if whole.isprintable() and whole.count("\\") == values.count(None):
        return "\t".join(texts) + "\n"
    return "\t".join([NULL if value is None else _escaped(str(value)) for value in values]) + "\n"


def cell(text: str) -> str:
    """Return the text as a cell of a line of COPY."""
    return text if text.isprintable() and "\\" not in text else _escaped(text)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
