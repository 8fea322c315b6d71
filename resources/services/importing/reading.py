"""The rows of one step, and those of the next: read, checked and spelt by a thread while PostgreSQL writes the last.

What is read ahead is a guess. A step takes it only where it begins at the place that was kept, under what holds now:
the schema, the type, the caller; else it reads anew. So nothing of it needs to survive, and a step says what it would
say without.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from core.identifiers import uuid7_texts
from resources.services.importing.rows import Reader, Row
from resources.services.importing.sources import Place, Source

ROWS_A_STEP: Final = 2000
_BYTES_A_STEP: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Portion:
    """The rows of one step, and the place at which the next begins."""

    rows: Sequence[Row]
    end: Place


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows of a step are read: from where, as what, and what is done with them as soon as they are."""

    source: Source
    reader: Reader
    facts: tuple[Any, ...]
    """What a portion depends on, beside the file."""

    finish: Callable[[Sequence[Row]], None]

    def portion(self, place: Place) -> Portion:
        """Return the rows at the place; raises `Unreadable`."""
        rows, end = [], place
        for record in islice(self.source.records(place), ROWS_A_STEP):
            rows.append(self.reader.read(record))
            end = Place(record.end, record.number)
            if end.offset - place.offset > _BYTES_A_STEP:
                break
        for row, id_ in zip(rows, uuid7_texts(len(rows)), strict=True):
            row.id = id_
        self.finish([row for row in rows if not row.faults])
        return Portion(rows, end)


class ReadingAhead:
    """Reads one portion ahead of the one at hand; for the steps of one slice."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading-ahead")
        self._coming: tuple[Place, tuple[Any, ...], Future[Portion]] | None = None

    def take(self, reading: Reading, place: Place) -> Portion:
        """Return the portion at the place, and begin to read the one after it; raises `Unreadable`."""
        portion = self._arrived(place, reading.facts) or reading.portion(place)
        if portion.rows:
            # Events say of which work they are: the thread is about the same.
            coming = self._thread.submit(copy_context().run, reading.portion, portion.end)
            self._coming = (portion.end, reading.facts, coming)
        return portion

    def _arrived(self, place: Place, facts: tuple[Any, ...]) -> Portion | None:
        """Return what was read ahead, if it is what is asked for; in any case nobody reads the file any more."""
        if self._coming is None:
            return None
        (begins, under, coming), self._coming = self._coming, None
        if (begins, under) == (place, facts):
            return coming.result()
        coming.exception()
        return None

    def close(self) -> None:
        """Wait for the thread: the file that it reads is about to be closed."""
        self._thread.shutdown(cancel_futures=True)
