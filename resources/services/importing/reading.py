"""The rows of one step, and those of the next: read and checked by a thread while PostgreSQL writes those before.

What is read ahead is a guess. A step takes it only where it begins at the place that was kept, under the schema that
holds now; else it reads anew. So nothing of it needs to survive, and a step says what it would say without.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

from resources.services.importing.rows import Reader, Row
from resources.services.importing.sources import Place, Record, Source

ROWS_A_STEP: Final = 1000
_BYTES_A_STEP: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Portion:
    """The rows of one step, and the place at which the next begins."""

    rows: Sequence[Row]
    end: Place


class ReadingAhead:
    """Reads one portion ahead of the one at hand; for the steps of one slice."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading-ahead")
        self._coming: tuple[Place, int, Future[Portion]] | None = None

    def take(self, source: Source, reader: Reader, place: Place, *, schema_version: int) -> Portion:
        """Return the portion at the place, and begin to read the one after it; raises `Unreadable`."""
        portion = self._arrived(place, schema_version) or _portion(source, reader, place)
        if portion.rows:
            coming = self._thread.submit(_portion, source, reader, portion.end)
            self._coming = (portion.end, schema_version, coming)
        return portion

    def _arrived(self, place: Place, schema_version: int) -> Portion | None:
        """Return what was read ahead, if it is what is asked for; in any case nobody reads the file any more."""
        if self._coming is None:
            return None
        (begins, version, coming), self._coming = self._coming, None
        if (begins, version) == (place, schema_version):
            return coming.result()
        coming.exception()
        return None

    def close(self) -> None:
        """Wait for the thread: the file that it reads is about to be closed."""
        self._thread.shutdown(cancel_futures=True)


def _portion(source: Source, reader: Reader, place: Place) -> Portion:
    rows, end = [], place
    for record in islice(source.records(place), ROWS_A_STEP):
        rows.append(reader.read(record))
        end = _after(record)
        if end.offset - place.offset > _BYTES_A_STEP:
            break
    return Portion(rows, end)


def _after(record: Record) -> Place:
    return Place(record.end, record.number)
