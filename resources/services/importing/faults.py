"""What was wrong with which row: a table to download, in parts as the steps of the job write them."""

import csv
import io
import tempfile
from collections.abc import Sequence
from typing import Final

from core.jobs import Done, Work
from core.spreadsheets import neutralised
from resources.services.importing.rows import Row

MOST_TOLD: Final = 10_000
"""How many lines the table has; further rows are counted as failed, and not told of."""

_HEADER: Final = b"row,path,code,message\r\n"
_CONTENT_TYPE: Final = "text/csv; charset=utf-8"
_LONGEST: Final = 500


def note(work: Work, rows: Sequence[Row]) -> None:
    """Write what is wrong with the rows to a part, as far as the table has room."""
    room = MOST_TOLD - work.checkpoint.get("told", 0)
    lines = [
        (row.number, fault.field or "", fault.code, fault.message[:_LONGEST]) for row in rows for fault in row.faults
    ][:room]
    if not lines:
        return
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows((number, *map(neutralised, told)) for number, *told in lines)
    stored = work.save(io.BytesIO(text.getvalue().encode()), name="faults")
    work.checkpoint.setdefault("faults", []).append(stored)
    work.checkpoint["told"] = work.checkpoint.get("told", 0) + len(lines)


def table(work: Work, *, filename: str) -> Done:
    """Return the end of the job: with the table, if any row was at fault."""
    parts = work.checkpoint.get("faults", [])
    if not parts:
        return Done()
    with tempfile.TemporaryFile() as whole:
        whole.write(_HEADER)
        for name in parts:
            with work.open(name) as part:
                whole.write(part.read())
        whole.seek(0)
        stored = work.save(whole, name="faults.csv")
    return Done(stored=stored, filename=filename, content_type=_CONTENT_TYPE)
