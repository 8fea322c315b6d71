"""An export as a job: rows in the order of their ids, written to parts, joined at the end.

A part is read by one statement, from a cursor of the server: what it shows is of one moment, and as the asker may see
it at that moment. Between two parts rows may change; a row that stood all along, and that the filters matched all
along, is in the file once. A worker that is killed loses the part at hand; the next goes on after the last row of the
one before.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import IO, Final

import orjson
from django.db import connection, transaction

from core import jobs
from core.errors import ValidationFailed
from core.jobs import Done, JobFailed, Work
from core.models import Job
from core.permissions import Caller
from resources import plans
from resources.columns import Column, columns_of
from resources.keywords.sealing import may_hold_sealed, opened_rows
from resources.models import ResourceType
from resources.parameters import FilteredQuery
from resources.questions import Question, read_parameters
from resources.services.askers import asker_of, parameters_of
from resources.services.exporting.formats import CsvFormat, Format, JsonFormat, NdjsonFormat
from resources.services.exporting.xlsx import XlsxFormat

KIND: Final = "resources.export"
FORMATS: Final[dict[str, type[Format]]] = {
    kind.name: kind for kind in (CsvFormat, JsonFormat, NdjsonFormat, XlsxFormat)
}

_STEP_SECONDS: Final = 4.0
_PART_BYTES: Final = 32 * 1024 * 1024
_BATCH_BYTES: Final = 1024 * 1024
_BATCH_ROWS: Final = 1000
_IN_MEMORY: Final = 1024 * 1024
_STATEMENT_MILLISECONDS: Final = 60_000
"""How long a part's first row may take: for whom a list is a union of many ids, they are gathered first."""

Filters = Mapping[str, Sequence[str]]


@transaction.atomic
def request_export(*, actor: Caller, filters: Filters, format: str) -> Job:
    """Promise the actor a file of what the filters (parameters of the list) find; return the job.

    Raises `ValidationFailed` for filters that the list would refuse.
    """
    if "type" in filters and not ResourceType.objects.filter(key=filters["type"][0]).exists():
        raise ValidationFailed.of("type", "does_not_exist", "There is no such resource type.")
    _question(actor, filters)
    parameters = {"format": format, "filters": filters, **parameters_of(actor)}
    return jobs.create_job(KIND, actor=actor, parameters=parameters)


def write_next_part(work: Work) -> Done | None:
    """Write the next part of the export, or join the parts when all are written: the step of the job."""
    asker = asker_of(work, scope="read:resource")
    try:
        question = _question(asker, work.parameters["filters"])
    except ValidationFailed as refusal:
        raise JobFailed("The filters are not what the type knows any more.", code="filters") from refusal
    state = work.checkpoint
    if "columns" not in state:
        _begin(work, question)
        return None
    if state.get("alike"):
        question = question.of_alike_names()
    written = FORMATS[work.parameters["format"]]([Column(tuple(path), kind) for path, kind in state["columns"]])
    if state["is_read"]:
        return _joined(work, written)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as part:
        _write_part(work, question, written, part)
        if part.tell():
            part.seek(0)
            state["parts"].append(work.save(part, name="part"))
    return None


def _question(asker: Caller, filters: Filters) -> Question:
    return Question.of(asker, read_parameters(filters, FilteredQuery))


@transaction.atomic
def _begin(work: Work, question: Question) -> None:
    _take_time()
    work.total = _total(question)
    # As in the list: where nothing has the words, names that are alike.
    is_alike = not work.total and question.listed.is_search
    if is_alike:
        work.total = _total(question.of_alike_names())
    work.checkpoint.update(columns=_columns(work), parts=[], after=None, is_read=False, alike=is_alike)


def _total(question: Question) -> int:
    row = plans.total(question.listed).fetch(question.values)
    return int((row and row[0]) or 0)


@transaction.atomic
def _write_part(work: Work, question: Question, written: Format, part: IO[bytes]) -> None:
    _take_time()
    state = work.checkpoint
    ends_at = time.monotonic() + _STEP_SECONDS
    statement = plans.every(question.listed, is_start=state["after"] is None)
    batches = statement.stream(
        {**question.values, "key0": state["after"]}, batch_bytes=_BATCH_BYTES, most_rows=_BATCH_ROWS
    )
    if work.done == 0:
        written.begin(part)
    with closing(batches):
        for rows in batches:
            written.write(_in_clear(rows), part, is_first=work.done == 0)
            work.done += len(rows)
            _refuse_too_many(work, written)
            state["after"] = orjson.loads(rows[-1])["id"]
            if time.monotonic() > ends_at or part.tell() > _PART_BYTES:
                return
    state["is_read"] = True


def _in_clear(rows: list[str]) -> list[str]:
    """Return the rows with what is sealed opened; nothing is parsed where nothing is, which one look tells."""
    if not may_hold_sealed("".join(rows).encode()):
        return rows
    return [orjson.dumps(row).decode() for row in opened_rows([orjson.loads(row) for row in rows])]


def _take_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {_STATEMENT_MILLISECONDS}")


def _columns(work: Work) -> list[tuple[tuple[str, ...], str]]:
    """Return the columns of `data`: by the schema of the type, if one is asked for; they stay so to the end."""
    kind = ResourceType.objects.filter(key__in=work.parameters["filters"].get("type", ())).first()
    return [(column.path, column.kind) for column in columns_of(kind.schema)] if kind else []


def _refuse_too_many(work: Work, written: Format) -> None:
    if written.most_rows is not None and work.done > written.most_rows:
        message = f"A sheet ends at {written.most_rows + 1:,} rows; filter, or take csv."
        raise JobFailed(message, code="too_many_rows")


def _joined(work: Work, written: Format) -> Done:
    with tempfile.TemporaryFile() as whole:
        written.join((work.open(name) for name in work.checkpoint["parts"]), whole)
        whole.seek(0)
        stored = work.save(whole, name=f"export.{written.name}")
    work.total = work.done
    (what,) = work.parameters["filters"].get("type", ["resources"])
    filename = f"{what}-{datetime.now(UTC):%Y-%m-%d}.{written.name}"
    return Done(stored=stored, filename=filename, content_type=written.content_type)
