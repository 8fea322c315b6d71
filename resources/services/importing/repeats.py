"""What a dry run keeps of its rows, so that it tells of repeats however far apart they stand in the file.

An import finds an external id or a unique value that an earlier step took among what it has written. A dry run writes
nothing, so it keeps a digest of each in the transaction of its step; a killed worker loses both or neither.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from core.errors import Detail
from core.models import Job
from core.models.jobs import FAILED, UNFINISHED
from resources.models import DryRunKey
from resources.schemas import Keywords
from resources.services.importing.bulk_writing import TWICE
from resources.services.importing.rows import Row
from resources.services.side_rows import unique_values

_KEEP: Final = """
INSERT INTO dry_run_keys (job_id, digest, slot)
SELECT %s, * FROM unnest(%s::bytea[], %s::bytea[])
ON CONFLICT (job_id, digest) DO UPDATE SET slot = EXCLUDED.slot
"""
_EXTERNAL_ID: Final = "external_id"


@dataclass(frozen=True, slots=True)
class _Key:
    row: Row
    path: str
    digest: bytes
    slot: bytes


@dataclass(frozen=True, slots=True)
class DryRun:
    """What one dry run has seen."""

    job_id: UUID
    keywords: Keywords
    replaces: bool

    def refuse_repeated_ids(self, rows: Sequence[Row]) -> None:
        """Note of each row whether an earlier one would have made a resource with its external id."""
        if not self.replaces:
            self._refuse([key for row in rows for key in self._ids(row)])

    def refuse_repeated_values(self, rows: Sequence[Row]) -> None:
        """Note of each row which of its unique values an earlier one of another resource would have."""
        self._refuse([key for row in rows for key in self._values(row)])

    def keep(self, rows: Sequence[Row]) -> None:
        """Keep what the rows would take, in the place of what earlier rows of the same resources would have."""
        keys = [key for row in rows for key in (*self._ids(row), *self._values(row))]
        if not keys:
            return
        if self.replaces:
            slots = [self._slot(row, path) for row in rows for path in self._paths]
            DryRunKey.objects.filter(job_id=self.job_id, slot__in=slots).delete()
        with connection.cursor() as cursor:
            cursor.execute(_KEEP, [self.job_id, [key.digest for key in keys], [key.slot for key in keys]])

    def _refuse(self, keys: list[_Key]) -> None:
        if not keys:
            return
        # One array: a thousand parameters cost more than what they ask for.
        among = RawSQL("digest = ANY(%s::bytea[])", [[key.digest for key in keys]], output_field=BooleanField())
        own = DryRunKey.objects.filter(among, job_id=self.job_id)
        held = {bytes(digest): bytes(slot) for digest, slot in own.values_list("digest", "slot")}
        for key in keys:
            if held.get(key.digest, key.slot) != key.slot:
                key.row.faults.append(TWICE if key.path == _EXTERNAL_ID else _taken(key.path))

    @property
    def _paths(self) -> list[str]:
        return [".".join(path) for path in self.keywords.unique]

    def _ids(self, row: Row) -> Iterator[_Key]:
        """Yield the external id of a row that would make a resource; those of an upsert may repeat."""
        if row.external_id is not None and not self.replaces:
            digest = self._digest(_EXTERNAL_ID, row.external_id.encode())
            yield _Key(row, _EXTERNAL_ID, digest, self._slot(row, _EXTERNAL_ID))

    def _values(self, row: Row) -> Iterator[_Key]:
        for path, digest in unique_values(row.data, self.keywords) if self.keywords.unique else ():
            yield _Key(row, path, self._digest(f"data.{path}", digest), self._slot(row, path))

    def _slot(self, row: Row, path: str) -> bytes:
        whose = str(row.external_id) if self.replaces else str(row.number)
        return self._digest(f"slot.{path}", whose.encode())

    def _digest(self, kind: str, value: bytes) -> bytes:
        return hashlib.blake2b(kind.encode() + b"\0" + value, key=self.job_id.bytes, digest_size=16).digest()


def forget(job_id: UUID) -> None:
    """Let go of what a run has kept."""
    DryRunKey.objects.filter(job_id=job_id).delete()


def forget_ended() -> int:
    """Let go of what runs have kept that will not go on; return how much.

    A failed one may go on as long as its file is kept.
    """
    goes_on = Q(state__in=UNFINISHED) | Q(state=FAILED, files_until__isnull=False)
    ended = DryRunKey.objects.exclude(job_id__in=Job.objects.filter(goes_on).values("id"))
    return ended.delete()[0]


def _taken(path: str) -> Detail:
    return Detail(f"data.{path}", "unique", "Another one has this value already.")
