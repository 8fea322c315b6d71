"""An export as a job: pages of rows in the order of their ids, written to parts, joined at the end.

A page is one statement: what it shows is of one moment, and as the asker may see it at that moment. Between two pages
rows may change; a row that stood all along, and that the filters matched all along, is in the file once. A worker that
is killed loses the part at hand; the next goes on after the last row of the last part.
"""

import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any, Final

import orjson
from django.db import transaction

from core import jobs
from core.api.pagination import SortKey
from core.errors import ValidationFailed
from core.jobs import Done, JobFailed, Work
from core.models import Job
from core.permissions import Caller
from resources import plans
from resources.access import Level
from resources.columns import Column, columns_of
from resources.keywords.sealing import may_hold_sealed, opened_rows
from resources.models import ResourceType, form_for
from resources.plans import ListShape, Shape
from resources.query import FILTERS
from resources.services.askers import asker_of, parameters_of
from resources.services.exporting.formats import CsvFormat, Format, JsonFormat, NdjsonFormat
from resources.services.exporting.xlsx import XlsxFormat

KIND: Final = "resources.export"
FORMATS: Final[dict[str, type[Format]]] = {
    kind.name: kind for kind in (CsvFormat, JsonFormat, NdjsonFormat, XlsxFormat)
}

_STEP_SECONDS: Final = 2.0
_PART_BYTES: Final = 16 * 1024 * 1024
_PAGE_BYTES: Final = 2 * 1024 * 1024
_IN_MEMORY: Final = 1024 * 1024
_PAGES: Final = (1000, 100, 10)
"""How many rows a page may have: as many as fit into `_PAGE_BYTES` by the page before."""

_BY_ID: Final = (SortKey("pk", descending=False),)


@transaction.atomic
def request_export(*, actor: Caller, filters: Mapping[str, Any], format: str) -> Job:
    """Promise the actor a file of what the filters (as the list takes them, parsed) find; return the job."""
    type_key = filters.get("type")
    if type_key is not None and not ResourceType.objects.filter(key=type_key).exists():
        raise ValidationFailed.of("type", "does_not_exist", "There is no such resource type.")
    parameters = {"format": format, "filters": _plain(filters), **parameters_of(actor)}
    return jobs.create_job(KIND, actor=actor, parameters=parameters)


def write_next_part(work: Work) -> Done | None:
    """Write the next part of the export, or join the parts when all are written: the step of the job."""
    asker = asker_of(work, scope="read:resource")
    state = work.checkpoint
    if "columns" not in state:
        state.update(columns=_columns(work), parts=[], after=None, page=_PAGES[1], is_read=False)
        work.total = _count(asker, work)
        return None
    written = FORMATS[work.parameters["format"]]([Column(tuple(path), kind) for path, kind in state["columns"]])
    if state["is_read"]:
        return _joined(work, written)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as part:
        _write_pages(work, asker, written, part)
        if part.tell():
            part.seek(0)
            state["parts"].append(work.save(part, name="part"))
    return None


def _write_pages(work: Work, asker: Caller, written: Format, part: IO[bytes]) -> None:
    ends_at = time.monotonic() + _STEP_SECONDS
    while True:
        _write_page(work, asker, written, part)
        if work.checkpoint["is_read"] or time.monotonic() > ends_at or part.tell() > _PART_BYTES:
            return


def _write_page(work: Work, asker: Caller, written: Format, part: IO[bytes]) -> None:
    state = work.checkpoint
    size = state["page"]
    raw = _page(asker, work, after=state["after"], size=size)
    rows = opened_rows(orjson.loads(raw)) if may_hold_sealed(raw) else orjson.loads(raw)
    state["is_read"] = len(rows) < size
    if rows:
        state["after"] = rows[-1]["id"]
        state["page"] = _page_size(len(raw) / len(rows))
    # Also where there is no row, so that an empty export has its header.
    written.write(rows, part, is_first=work.done == 0)
    work.done += len(rows)
    _refuse_too_many(work, written)


def _page_size(row_bytes: float) -> int:
    return next((size for size in _PAGES if size * row_bytes <= _PAGE_BYTES), _PAGES[-1])


def _page(asker: Caller, work: Work, *, after: str | None, size: int) -> bytes:
    """Return the next page as JSON: the same statement as that of the list, as the asker may see it now."""
    filters = work.parameters["filters"]
    statement = plans.cursor_page(_list_shape(asker, filters, size), is_start=after is None, is_backward=False)
    row = statement.fetch({**_values(asker, filters), "key0": after})
    return (row and row[0]) or b"[]"


def _count(asker: Caller, work: Work) -> int:
    filters = work.parameters["filters"]
    row = plans.total(_list_shape(asker, filters, _PAGES[0])).fetch(_values(asker, filters))
    return int((row and row[0]) or 0)


def _list_shape(asker: Caller, filters: Mapping[str, Any], size: int) -> ListShape:
    slotted = plans.slotted(asker.permissions, asker.is_anonymous)
    return ListShape(
        Shape(slotted, form_for(slotted)),
        _BY_ID,
        size,
        frozenset(name for name in FILTERS if name in filters),
        is_search="q" in filters,
        access={level.label: level for level in Level}.get(filters.get("access", ""), Level.NONE),
    )


def _values(asker: Caller, filters: Mapping[str, Any]) -> dict[str, Any]:
    values = {**filters, "user": asker.id, "role": asker.role}
    if filters.get("owner") == "me":
        values["owner"] = asker.id
    return values


def _columns(work: Work) -> list[tuple[tuple[str, ...], str]]:
    """Return the columns of `data`: by the schema of the type, if one is asked for; they stay so to the end."""
    kind = ResourceType.objects.filter(key=work.parameters["filters"].get("type")).first()
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
    what = work.parameters["filters"].get("type", "resources")
    filename = f"{what}-{datetime.now(UTC):%Y-%m-%d}.{written.name}"
    return Done(stored=stored, filename=filename, content_type=written.content_type)


def _plain(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters as JSON, as the slots of a statement take them."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in filters.items()}
