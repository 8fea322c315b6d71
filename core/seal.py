"""Seals the event log into a hash chain, and proves that it is whole.

`publish` stays fast because nothing is chained there: once a second one sealer links the rows of all
transactions that have ended, at tens of thousands of rows a second. What happened in the last second
or so is protected by the database alone.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction

from core.models import EventSeal

logger = logging.getLogger(__name__)

BATCH: Final = 5000
GENESIS: Final = bytes(32)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK: Final = 0x4E6F6F6B5365616C

# Everything that an event says, in one canonical text. Times as microseconds since 1970, because the
# text of a timestamp depends on the session's time zone.
CONTENT: Final = """jsonb_build_array(
    e.seq, e.id, e.type, e.actor, e.on_behalf_of, e.subject_type, e.subject_id, e.payload, to_jsonb(e.audience),
    e.request_id, e.trace_id, e.ip::text, e.user_agent, (extract(epoch FROM e.occurred_at) * 1000000)::bigint
)::text"""

# Rows of ended transactions after the last sealed one, by transaction, then by number: complete at the
# moment it is read, unlike the order of numbers alone. A last seal whose transaction lies in the future
# comes from another cluster (a dump that was restored): then everything unsealed is looked for.
_UNSEALED: Final = f"""
SELECT e.xid::text, e.seq, e.occurred_at, {CONTENT}
FROM events e
WHERE e.xid < pg_snapshot_xmin(pg_current_snapshot()) AND (e.xid, e.seq) > (%(xid)s::xid8, %(seq)s)
  AND NOT EXISTS (SELECT FROM event_seals s WHERE s.event_seq = e.seq)
ORDER BY e.xid, e.seq LIMIT {BATCH}
"""  # noqa: S608  # put together from constants
_UNSEALED_AFTER_RESTORE: Final = f"""
SELECT e.xid::text, e.seq, e.occurred_at, {CONTENT}
FROM events e
WHERE (e.xid < pg_snapshot_xmin(pg_current_snapshot()) OR e.xid >= pg_snapshot_xmax(pg_current_snapshot()))
  AND NOT EXISTS (SELECT FROM event_seals s WHERE s.event_seq = e.seq)
ORDER BY e.seq LIMIT {BATCH}
"""  # noqa: S608  # put together from constants
_CHAIN: Final = f"""
DECLARE chain NO SCROLL CURSOR FOR
SELECT s.position, s.event_seq, s.occurred_at, s.row_hash, s.hash, CASE WHEN e.seq IS NULL THEN NULL ELSE {CONTENT} END
FROM event_seals s LEFT JOIN events e ON e.seq = s.event_seq ORDER BY s.position
"""  # noqa: S608  # put together from constants
_LAST: Final = """
SELECT position, hash, xid::text, event_seq, xid >= pg_snapshot_xmax(pg_current_snapshot())
FROM event_seals ORDER BY position DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: whoever keeps one elsewhere can prove later that nothing before it was changed."""

    position: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.hash.hex()}@{self.position}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Return the head that `HASH@POSITION` names; ValueError for anything else."""
        digest, separator, position = text.strip().partition("@")
        if not separator or len(digest) != 64:
            raise ValueError("A head is written HASH@POSITION: 64 hexadecimal digits, @, a number.")
        return cls(int(position), bytes.fromhex(digest))


def row_hash(content: str) -> bytes:
    """Return the hash of one event's content."""
    return hashlib.sha256(content.encode()).digest()


def link(previous: bytes, row: bytes, seq: int, occurred_at: datetime) -> bytes:
    """Return the hash that follows `previous` in the chain."""
    microseconds = (occurred_at - _EPOCH) // timedelta(microseconds=1)
    return hashlib.sha256(b"%b%b%d:%d" % (previous, row, seq, microseconds)).digest()


def head() -> Head:
    """Return the present end of the chain."""
    last = EventSeal.objects.order_by("-position").first()
    return Head(last.position, bytes(last.hash)) if last else Head(0, GENESIS)


def seal_all() -> int:
    """Seal everything that can be sealed; return how many rows."""
    total = 0
    while sealed := _seal_batch():
        total += sealed
        if sealed < BATCH:
            break
    return total


@transaction.atomic
def _seal_batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_LAST)
        position, previous, xid, seq, restored = cursor.fetchone() or (0, GENESIS, "0", 0, False)
        cursor.execute(_UNSEALED_AFTER_RESTORE if restored else _UNSEALED, {"xid": xid, "seq": seq})
        rows = cursor.fetchall()
        if rows:
            _append(cursor, Head(position, bytes(previous)), rows)
    return len(rows)


def _append(cursor: Any, head: Head, rows: list[tuple[str, int, datetime, str]]) -> None:
    columns: tuple[list[Any], ...] = ([], [], [], [], [], [])
    last = head.hash
    for position, (xid, seq, occurred_at, content) in enumerate(rows, head.position + 1):
        digest = row_hash(content)
        last = link(last, digest, seq, occurred_at)
        for column, value in zip(columns, (position, xid, seq, occurred_at, digest, last), strict=True):
            column.append(value)
    cursor.execute(
        "INSERT INTO event_seals (position, xid, event_seq, occurred_at, row_hash, hash)"
        " SELECT * FROM unnest(%s::bigint[], %s::xid8[], %s::bigint[], %s::timestamptz[], %s::bytea[], %s::bytea[])",
        columns,
    )


def export_head() -> Head:
    """Write the head where the database cannot reach it: into the log and, when it has moved, into the storage."""
    present = head()
    logger.info("audit head", extra={"head": str(present)})
    name = f"audit-heads/{present.position:020d}.json"
    if not default_storage.exists(name):
        body = {"head": str(present), "exported_at": datetime.now(UTC).isoformat()}
        default_storage.save(name, ContentFile(json.dumps(body).encode()))
    return present


@dataclass(frozen=True, slots=True)
class Report:
    """What a proof of the log found; `faults` is empty for a log that is whole."""

    checked: int
    archived: int
    unsealed: int
    head: Head
    faults: tuple[str, ...]


MOST_FAULTS: Final = 100


def verify(*, expected: Head | None = None) -> Report:
    """Follow the chain from its beginning and compare each event with its seal; with `expected` also the tail."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        return Verification(expected).run(cursor)


class Verification:
    """One walk along the chain."""

    def __init__(self, expected: Head | None) -> None:
        self.expected = expected
        self.head = Head(0, GENESIS)
        self.faults: list[str] = []
        self.archived = 0

    def run(self, cursor: Any) -> Report:
        """Walk, and report."""
        archived_until = self._archived_until(cursor)
        for position, seq, occurred_at, sealed_row, sealed_hash, content in self._links(cursor):
            self._check_position(position, bytes(sealed_hash))
            if link(self.head.hash, bytes(sealed_row), seq, occurred_at) != bytes(sealed_hash):
                self._fault(f"the chain is broken at position {position}")
            self.head = Head(position, bytes(sealed_hash))
            if content is not None:
                if row_hash(content) != bytes(sealed_row):
                    self._fault(f"event {seq} was changed after it was sealed (position {position})")
            elif archived_until is not None and occurred_at < archived_until:
                self.archived += 1
            else:
                self._fault(f"event {seq} was removed (position {position})")
        unsealed = self._check_unsealed(cursor)
        self._check_expected(cursor)
        return Report(self.head.position, self.archived, unsealed, self.head, tuple(self.faults))

    def _links(self, cursor: Any) -> Iterator[tuple[Any, ...]]:
        cursor.execute(_CHAIN)
        while True:
            cursor.execute(f"FETCH {BATCH} FROM chain")
            rows = cursor.fetchall()
            yield from rows
            if len(rows) < BATCH:
                cursor.execute("CLOSE chain")
                return

    def _check_position(self, position: int, sealed_hash: bytes) -> None:
        if position != self.head.position + 1:
            self._fault(f"positions {self.head.position + 1} to {position - 1} of the chain are missing")
        if self.expected and self.expected.position == position and self.expected.hash != sealed_hash:
            self._fault(f"position {position} is not the one that the given head names: history was rewritten")

    def _check_unsealed(self, cursor: Any) -> int:
        cursor.execute(
            "SELECT e.seq, coalesce((e.xid, e.seq) < (last.xid, last.event_seq)"
            " AND last.xid < pg_snapshot_xmax(pg_current_snapshot()), false) FROM events e"
            " LEFT JOIN LATERAL (SELECT xid, event_seq FROM event_seals ORDER BY position DESC LIMIT 1) last ON true"
            " WHERE NOT EXISTS (SELECT FROM event_seals s WHERE s.event_seq = e.seq) ORDER BY e.seq"
        )
        rows = cursor.fetchall()
        for seq, is_late in rows:
            if is_late:
                self._fault(f"event {seq} was put in behind the seal")
        return len(rows)

    def _check_expected(self, cursor: Any) -> None:
        if self.expected and self.expected.position > self.head.position:
            self._fault(f"the chain ends at {self.head.position}: the tail to {self.expected.position} was cut off")

    def _archived_until(self, cursor: Any) -> datetime | None:
        cursor.execute(
            "SELECT max((e.payload->>'until')::timestamptz) FROM events e"
            " JOIN event_seals s ON s.event_seq = e.seq WHERE e.type = 'audit.archived'"
        )
        until: datetime | None = cursor.fetchone()[0]
        return until

    def _fault(self, text: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(text)
