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

# Everything that an event says, in canonical texts. Times as microseconds since 1970, because the text of a
# timestamp depends on the session's time zone. What a redaction may take out (core.redaction) is hashed by
# itself and with a salt that goes with it, so that the hash which stays behind tells nothing.
FIXED: Final = """sha256(convert_to(jsonb_build_array(
    e.seq, e.id, e.type, e.actor, e.on_behalf_of, e.subject_type, e.subject_id, to_jsonb(e.audience),
    e.request_id, e.trace_id, (extract(epoch FROM e.occurred_at) * 1000000)::bigint)::text, 'UTF8'))"""
PAYLOAD: Final = "sha256(convert_to(jsonb_build_array(e.payload_salt, e.payload)::text, 'UTF8'))"
ORIGIN: Final = "sha256(convert_to(jsonb_build_array(e.origin_salt, e.ip::text, e.user_agent)::text, 'UTF8'))"
ROW: Final = f"sha256({FIXED} || {PAYLOAD} || {ORIGIN})"
FORM: Final = 2
# Rows that were sealed before there were redactions: one hash over everything.
_ROW_IN_FORM_1: Final = """sha256(convert_to(jsonb_build_array(
    e.seq, e.id, e.type, e.actor, e.on_behalf_of, e.subject_type, e.subject_id, e.payload, to_jsonb(e.audience),
    e.request_id, e.trace_id, e.ip::text, e.user_agent, (extract(epoch FROM e.occurred_at) * 1000000)::bigint
)::text, 'UTF8'))"""

# Rows of ended transactions after the last sealed one, by transaction, then by number: complete at the
# moment it is read, unlike the order of numbers alone. A last seal whose transaction lies in the future
# comes from another cluster (a dump that was restored): then everything unsealed is looked for.
_UNSEALED: Final = f"""
SELECT e.xid::text, e.seq, e.occurred_at, {ROW}
FROM events e
WHERE e.xid < pg_snapshot_xmin(pg_current_snapshot()) AND (e.xid, e.seq) > (%(xid)s::xid8, %(seq)s)
  AND NOT EXISTS (SELECT FROM event_seals s WHERE s.event_seq = e.seq)
ORDER BY e.xid, e.seq LIMIT {BATCH}
"""  # noqa: S608  # put together from constants
_UNSEALED_AFTER_RESTORE: Final = f"""
SELECT e.xid::text, e.seq, e.occurred_at, {ROW}
FROM events e
WHERE (e.xid < pg_snapshot_xmin(pg_current_snapshot()) OR e.xid >= pg_snapshot_xmax(pg_current_snapshot()))
  AND NOT EXISTS (SELECT FROM event_seals s WHERE s.event_seq = e.seq)
ORDER BY e.seq LIMIT {BATCH}
"""  # noqa: S608  # put together from constants
_CHAIN: Final = f"""
DECLARE chain NO SCROLL CURSOR FOR
SELECT s.position, s.event_seq, s.occurred_at, s.row_hash, s.hash,
       CASE WHEN e.seq IS NULL THEN NULL WHEN s.form = 1 THEN {_ROW_IN_FORM_1} ELSE {ROW} END
FROM event_seals s LEFT JOIN events e ON e.seq = s.event_seq ORDER BY s.position
"""  # noqa: S608  # put together from constants
# Of rows that differ from their seals, those that a recorded redaction accounts for: what it took is blank, and the
# seal comes out with the hash of what it took. Of a row in form 1 that cannot be asked; it was redacted whole.
_REDACTED: Final = f"""
SELECT e.seq
FROM events e
JOIN event_seals s ON s.event_seq = e.seq
LEFT JOIN event_redactions p ON p.event_seq = e.seq AND p.part = 'payload'
LEFT JOIN event_redactions o ON o.event_seq = e.seq AND o.part = 'origin'
WHERE e.seq = ANY (%s)
  AND (p.event_seq IS NULL
       OR (p.fixed_hash = {FIXED} AND e.payload_salt IS NULL AND e.payload = '{{"redacted": true}}'))
  AND (o.event_seq IS NULL
       OR (o.fixed_hash = {FIXED} AND e.origin_salt IS NULL AND e.ip IS NULL AND e.user_agent = ''))
  AND CASE WHEN s.form = 1 THEN p.event_seq = o.event_seq
      ELSE s.row_hash = sha256({FIXED} || coalesce(p.part_hash, {PAYLOAD}) || coalesce(o.part_hash, {ORIGIN})) END
"""  # noqa: S608  # put together from constants
DIGEST: Final = """encode(sha256(convert_to(string_agg(
    concat_ws(':', event_seq, part, encode(fixed_hash, 'hex'), encode(part_hash, 'hex')), ',' ORDER BY event_seq, part
), 'UTF8')), 'hex')"""
# Redactions that no event of the log vouches for. One whose rows were all archived has its event among them.
_UNPROVEN: Final = f"""
SELECT r.redaction
FROM (SELECT redaction, {DIGEST} AS digest FROM event_redactions GROUP BY redaction) r
WHERE NOT EXISTS (SELECT FROM events e WHERE e.type = 'audit.redacted' AND e.payload->>'digest' = r.digest
                  AND e.payload->>'redaction' = r.redaction::text)
  AND EXISTS (SELECT FROM event_redactions n JOIN events e ON e.seq = n.event_seq WHERE n.redaction = r.redaction)
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


def _append(cursor: Any, head: Head, rows: list[tuple[str, int, datetime, memoryview]]) -> None:
    columns: tuple[list[Any], ...] = ([], [], [], [], [], [])
    last = head.hash
    for position, (xid, seq, occurred_at, row) in enumerate(rows, head.position + 1):
        digest = bytes(row)
        last = link(last, digest, seq, occurred_at)
        for column, value in zip(columns, (position, xid, seq, occurred_at, digest, last), strict=True):
            column.append(value)
    cursor.execute(
        "INSERT INTO event_seals (position, xid, event_seq, occurred_at, row_hash, hash, form) SELECT *, %s FROM"
        " unnest(%s::bigint[], %s::xid8[], %s::bigint[], %s::timestamptz[], %s::bytea[], %s::bytea[])",
        (FORM, *columns),
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
    redacted: int
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
        self.archived_until: datetime | None = None
        self.redacted = 0

    def run(self, cursor: Any) -> Report:
        """Walk, and report."""
        self.archived_until = self._read_archived_until(cursor)
        for links in self._batches(cursor):
            changed = {link_[1]: link_[0] for link_ in links if self._follow(*link_)}
            if changed:
                self._check_redacted(cursor, changed)
        unsealed = self._check_unsealed(cursor)
        self._check_evidence(cursor)
        self._check_expected()
        return Report(self.head.position, self.archived, self.redacted, unsealed, self.head, tuple(self.faults))

    def _follow(
        self,
        position: int,
        seq: int,
        occurred_at: datetime,
        sealed_row: memoryview,
        sealed_hash: memoryview,
        present_row: memoryview | None,
    ) -> bool:
        """Check one link; return whether its event differs from its seal."""
        self._check_position(position, bytes(sealed_hash))
        if link(self.head.hash, bytes(sealed_row), seq, occurred_at) != bytes(sealed_hash):
            self._fault(f"the chain is broken at position {position}")
        self.head = Head(position, bytes(sealed_hash))
        if present_row is not None:
            return bytes(present_row) != bytes(sealed_row)
        if self.archived_until is not None and occurred_at < self.archived_until:
            self.archived += 1
        else:
            self._fault(f"event {seq} was removed (position {position})")
        return False

    def _batches(self, cursor: Any) -> Iterator[list[tuple[Any, ...]]]:
        cursor.execute(_CHAIN)
        while True:
            cursor.execute(f"FETCH {BATCH} FROM chain")
            rows = cursor.fetchall()
            yield rows
            if len(rows) < BATCH:
                cursor.execute("CLOSE chain")
                return

    def _check_redacted(self, cursor: Any, changed: dict[int, int]) -> None:
        """Count the events that were redacted; name those that were changed in any other way."""
        cursor.execute(_REDACTED, [list(changed)])
        redacted = {seq for (seq,) in cursor.fetchall()}
        self.redacted += len(redacted)
        for seq, position in changed.items():
            if seq not in redacted:
                self._fault(f"event {seq} was changed after it was sealed (position {position})")

    def _check_evidence(self, cursor: Any) -> None:
        cursor.execute(_UNPROVEN)
        for (redaction,) in cursor.fetchall():
            self._fault(f"no event of the log vouches for redaction {redaction}")

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

    def _check_expected(self) -> None:
        if self.expected and self.expected.position > self.head.position:
            self._fault(f"the chain ends at {self.head.position}: the tail to {self.expected.position} was cut off")

    def _read_archived_until(self, cursor: Any) -> datetime | None:
        cursor.execute(
            "SELECT max((e.payload->>'until')::timestamptz) FROM events e"
            " JOIN event_seals s ON s.event_seq = e.seq WHERE e.type = 'audit.archived'"
        )
        until: datetime | None = cursor.fetchone()[0]
        return until

    def _fault(self, text: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(text)
