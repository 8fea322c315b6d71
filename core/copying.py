"""Many rows at once: COPY, in its text form, on Django's own connection and in its transaction."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from django.db import connection

_ROWS_AT_ONCE: Final = 500
_NULL: Final = "\\N"


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of texts, numbers, ids and None into the table; JSON and arrays are given as PostgreSQL reads them.

    Constraints and triggers hold as for INSERT; a row that breaks one takes all of them back.
    """
    lines = map(_line, rows)
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
        while block := list(islice(lines, _ROWS_AT_ONCE)):
            copy.write("".join(block))


def array(texts: Sequence[str]) -> str:
    """Return an array of texts as PostgreSQL reads it."""
    if not texts:
        return "{}"
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return '{"' + '","'.join(quoted) + '"}'


def _line(values: Sequence[Any]) -> str:
    return "\t".join([_NULL if value is None else _escaped(str(value)) for value in values]) + "\n"


def _escaped(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if text.isprintable():
        return text
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
