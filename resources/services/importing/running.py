"""An import as a job: two thousand rows in each step, whose place in the file is kept in the transaction of the rows.

The file is looked through once before anything is written, so what cannot be read to its end changes nothing. From then
on a row that is at fault is told of and left out, and the others are written. A worker that is killed loses the step at
hand with its rows; the next one goes on from the place that was kept.
"""

import codecs
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, Any, Final

import orjson
from django.db import IntegrityError, transaction

from core import jobs
from core.errors import Detail, ValidationFailed
from core.jobs import Done, JobFailed, Work
from core.models import Job
from core.permissions import Caller
from resources.models import Resource, ResourceType
from resources.schemas import compiled
from resources.schemas.workflows import initial_state
from resources.services.askers import asker_of, parameters_of
from resources.services.importing import faults, repeats
from resources.services.importing.bulk_writing import TAKEN, TWICE, Writer
from resources.services.importing.keyword_rows import KeywordRows, has_work
from resources.services.importing.reading import Portion, Reading, ReadingAhead
from resources.services.importing.repeats import DryRun
from resources.services.importing.rows import Reader, Row
from resources.services.importing.sources import NO_UTF_8, SOURCES, Place, Source, Unreadable
from resources.services.records import Kind

KIND: Final = "resources.import"
CREATE: Final = "create"
UPSERT: Final = "upsert"
MODES: Final = (CREATE, UPSERT)
FORMATS: Final = tuple(SOURCES)
BY_SUFFIX: Final = {".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson"}
"""The format that the name of a file tells."""

_ATTEMPTS: Final = 3
_CHUNK: Final = 256 * 1024
_NEEDED: Final = Detail("external_id", "required", "An upsert knows a resource by its external id.")


def request_import(
    *, actor: Caller, file: IO[bytes], filename: str, format: str, type_key: str, mode: str, dry_run: bool
) -> Job:
    """Keep the file and promise the actor to write its rows; return the job.

    Raises `ValidationFailed` for a type that there is not, and for a file that is no text or has no sound beginning.
    """
    kind = ResourceType.objects.filter(key=type_key).first()
    if kind is None:
        raise ValidationFailed.of("type", "does_not_exist", "There is no such resource type.")
    try:
        _look_at(file, format, kind)
    except Unreadable as fault:
        raise ValidationFailed.of("file", fault.code, str(fault)) from None
    file.seek(0)
    job_id, stored = jobs.store_beforehand(file, name=f"import.{format}")
    parameters = {"type": type_key, "format": format, "mode": mode, "dry_run": dry_run}
    parameters |= {"file": stored, "filename": filename, **parameters_of(actor)}
    return jobs.create_job(KIND, actor=actor, parameters=parameters, job_id=job_id)


def _look_at(file: IO[bytes], format: str, kind: ResourceType) -> None:
    source = SOURCES[format](file)
    source.begin()
    _refuse_other_encodings(file)
    _reader(kind, source)


def _refuse_other_encodings(file: IO[bytes]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK):
            if b"\0" in chunk:
                raise Unreadable("null_character", "The file holds a NUL character.")
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Unreadable("encoding", NO_UTF_8) from None


def take_next_rows(work: Work) -> Done | None:
    """Look the file through, then write its rows, some in each call: the step of the job."""
    asker = asker_of(work, scope="write:resource")
    kind = ResourceType.objects.filter(key=work.parameters["type"]).first()
    if kind is None:
        raise JobFailed("The type is not there any more.", code="does_not_exist")
    try:
        if "offset" not in work.checkpoint:
            _look_through(work)
            return None
        writer = _writer(asker, kind)
        portion = _next_portion(work, kind, writer)
    except Unreadable as fault:
        raise JobFailed(str(fault), code=fault.code) from None
    if not portion.rows:
        repeats.forget(work.job_id)
        return faults.table(work, filename=f"{kind.key}-import-faults.csv")
    _take(work, portion.rows, _writing(writer, work))
    work.checkpoint |= {"offset": portion.end.offset, "number": portion.end.number}
    return None


def _look_through(work: Work) -> None:
    """Count the rows, and refuse a file that cannot be read to its end."""
    source = _source(work)
    place = source.begin()
    work.total = source.count(place)
    work.checkpoint |= {
        "offset": place.offset,
        "number": place.number,
        "columns": source.columns,
        "delimiter": source.delimiter,
    }


def _next_portion(work: Work, kind: ResourceType, writer: Writer) -> Portion:
    source = _source(work)
    place = Place(work.checkpoint["offset"], work.checkpoint["number"])
    reading = Reading(
        source, _reader(kind, source), writer.facts, writer.spell_ahead if _is_plain(work, writer) else _leave
    )
    return work.opened.once("rows", ReadingAhead).take(reading, place)


def _is_plain(work: Work, writer: Writer) -> bool:
    """Return whether what a row becomes can be told from the row alone."""
    parameters = work.parameters
    return parameters["mode"] == CREATE and not parameters["dry_run"] and not has_work(writer.keywords)


def _leave(rows: Sequence[Row]) -> None:
    """Leave the rows for the step: what is there decides on what is written."""


Writing = Callable[[list[Row]], None]
"""Writes sound rows, or sees whether they could be; notes in a row what it is refused for."""


def _take(work: Work, rows: Sequence[Row], write: Writing) -> None:
    """Write the rows that are sound, note and count the others."""
    is_upsert = work.parameters["mode"] == UPSERT
    if is_upsert:
        _mark((row for row in rows if row.external_id is None and not row.faults), _NEEDED)
    sound = [row for row in rows if not row.faults]
    if not is_upsert:
        _mark(_repeats(sound), TWICE)
        sound = [row for row in sound if not row.faults]
    for part in _parts_without_repeats(sound) if is_upsert else [sound]:
        write(part)
    bad = [row for row in rows if row.faults]
    faults.note(work, bad)
    work.done += len(rows)
    work.failed += len(bad)


def _writer(asker: Caller, kind: ResourceType) -> Writer:
    facts = Kind(kind.pk, kind.key, kind.schema_version, kind.default_visibility, initial_state(kind.workflow))
    plan = "none" if kind.search_plan is None else orjson.dumps(kind.search_plan).decode()
    return Writer(asker, facts, search_plan=plan)


def _writing(writer: Writer, work: Work) -> Writing:
    """Return how rows of this type are written: many at once, with what stands beside them."""
    replaces = work.parameters["mode"] == UPSERT
    if work.parameters["dry_run"]:
        return partial(_tried, writer, DryRun(work.job_id, writer.keywords, replaces=replaces))
    return partial(_written, writer, replaces=replaces)


def _tried(writer: Writer, dry_run: DryRun, rows: list[Row]) -> None:
    """See whether the rows could be written, after those of the file before them."""
    existing = _looked_up(writer, rows, replaces=dry_run.replaces)
    dry_run.refuse_repeated_ids([row for row in rows if not row.faults])
    beside = KeywordRows(writer.actor, writer.owner_id, writer.kind.key, writer.keywords)
    beside.judge([row for row in rows if not row.faults], existing)
    dry_run.refuse_repeated_values([row for row in rows if not row.faults])
    dry_run.keep([row for row in rows if not row.faults])


def _written(writer: Writer, rows: list[Row], *, replaces: bool) -> None:
    # New rows are written without a look whose ids are taken: the constraint tells, and few files name one that is.
    looks = replaces or has_work(writer.keywords)
    for _ in range(_ATTEMPTS - 1):
        # Somebody may take an id between the look and the write: the second look finds it.
        with suppress(IntegrityError), transaction.atomic():
            return _write(writer, rows, replaces=replaces, looks=looks)
        looks = True
    return _write(writer, rows, replaces=replaces, looks=looks)


def _write(writer: Writer, rows: list[Row], *, replaces: bool, looks: bool) -> None:
    existing = _looked_up(writer, rows, replaces=replaces) if looks else {}
    beside = KeywordRows(writer.actor, writer.owner_id, writer.kind.key, writer.keywords)
    beside.judge([row for row in rows if not row.faults], existing)
    sound = [row for row in rows if not row.faults]
    writer.create([row for row in sound if row.external_id not in existing])
    if replaces:
        writer.replace([(existing[str(row.external_id)], row) for row in sound if row.external_id in existing])
    beside.write()


def _looked_up(writer: Writer, rows: Sequence[Row], *, replaces: bool) -> dict[str, Resource]:
    """Return what is there of the rows' ids; where it may not be replaced, it is the fault of the row."""
    existing = writer.existing([row for row in rows if not row.faults])
    if not replaces:
        _mark((row for row in rows if row.external_id in existing and not row.faults), TAKEN)
    return existing


def _mark(rows: Any, fault: Detail) -> None:
    for row in rows:
        row.faults.append(fault)


def _repeats(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with an external id that an earlier one has."""
    seen: set[str] = set()
    repeats = []
    for row in rows:
        if row.external_id is None:
            continue
        if row.external_id in seen:
            repeats.append(row)
        seen.add(row.external_id)
    return repeats


def _parts_without_repeats(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield the rows in parts in which each id stands once: of two rows with one id the later has the last word."""
    part: list[Row] = []
    seen: set[str | None] = set()
    for row in rows:
        if row.external_id in seen:
            yield part
            part, seen = [], set()
        part.append(row)
        if row.external_id is not None:
            seen.add(row.external_id)
    if part:
        yield part


def _reader(kind: ResourceType, source: Source) -> Reader:
    return Reader(kind.key, kind.schema, compiled(kind.pk, kind.schema_version), source.columns)


def _source(work: Work) -> Source:
    state = work.checkpoint
    file = work.share(work.parameters["file"])
    return SOURCES[work.parameters["format"]](file, state.get("columns", ()), state.get("delimiter", ","))
