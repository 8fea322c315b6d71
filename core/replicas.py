"""Reads from streaming replicas, as fresh as from the primary.

Before a read the primary says how far its log is (no table is touched), and a replica has to have applied the log
that far. So everything that was committed before the request came is seen, whoever wrote it: one's own write, and
a share that somebody else took away. Where the replica is behind, gone or promoted, the primary answers.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connection, connections

from core.metrics import REPLICA_READS
from core.sqlstates import sqlstate

Answer = TypeVar("Answer")

# A commit that does not wait for the disk is seen before its part of the log is written.
_POSITION: Final = """
SELECT CASE WHEN pg_is_in_recovery() THEN NULL
            WHEN current_setting('synchronous_commit') = 'off' THEN pg_current_wal_insert_lsn()
            ELSE pg_current_wal_flush_lsn() END
"""
_PROGRESS: Final = "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() >= %s::pg_lsn"
_POLL_SECONDS: Final = 0.001
_PAUSE_BEHIND: Final = 1.0
_PAUSE_GONE: Final = 5.0
_WANTS_TO_WRITE: Final = "25006"
_OVERTAKEN: Final = "40001"
"""What the replica applied took away what the statement was reading."""

_turns = count()
_left_alone_until: dict[str, float] = {}
_local = threading.local()


def read(run: Callable[[], Answer]) -> Answer:
    """Return what `run` returns, having it read a replica where one is as far as the primary.

    It is run once more, on the primary, where the replica fails or `run` wants to write: it has changed nothing yet.
    """
    alias = _next_replica()
    if alias is None or not _has_caught_up(alias):
        return run()
    try:
        with _in_place_of_the_primary(alias):
            answer = run()
    except (DatabaseError, InterfaceError) as error:
        if not _is_of_the_replica(alias, error):
            raise
        return run()
    REPLICA_READS.labels(alias, "answered").inc()
    return answer


@contextmanager
def on_the_primary() -> Iterator[None]:
    """Read the primary inside a `read`: for what is kept longer than the request, and made void by those who write."""
    primary = getattr(_local, "primary", None)
    if primary is None:
        yield
        return
    replica, _local.primary = connections[DEFAULT_DB_ALIAS], None
    connections[DEFAULT_DB_ALIAS] = primary
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS], _local.primary = replica, primary


def _next_replica() -> str | None:
    """Return the replica whose turn it is, of those that are not left alone."""
    aliases: list[str] = settings.DATABASE_REPLICAS
    if not aliases or connection.in_atomic_block:
        return None
    first, now = next(_turns), time.monotonic()
    in_turn = (aliases[(first + place) % len(aliases)] for place in range(len(aliases)))
    return next((alias for alias in in_turn if _left_alone_until.get(alias, 0) <= now), None)


def _has_caught_up(alias: str) -> bool:
    """Return whether the replica has applied all that the primary has written, waiting for it a moment."""
    ((position,),) = _rows(connection, _POSITION)
    if position is None:
        return False
    deadline = time.monotonic() + settings.DATABASE_REPLICA_WAIT_MS / 1000
    try:
        while True:
            ((is_replica, is_there),) = _rows(connections[alias], _PROGRESS, position)
            if is_replica and is_there:
                return True
            if not is_replica or time.monotonic() >= deadline:
                break
            time.sleep(_POLL_SECONDS)
    except (DatabaseError, InterfaceError):
        return _leave_alone(alias, "gone", _PAUSE_GONE)
    return _leave_alone(alias, *(("behind", _PAUSE_BEHIND) if is_replica else ("promoted", _PAUSE_GONE)))


def _is_of_the_replica(alias: str, error: DatabaseError | InterfaceError) -> bool:
    """Return whether the primary may do better than the replica that failed so."""
    code = sqlstate(error)
    if code == _WANTS_TO_WRITE:
        REPLICA_READS.labels(alias, "wrote").inc()
    elif code == _OVERTAKEN:
        REPLICA_READS.labels(alias, "overtaken").inc()
    elif not code or code[:2] in {"08", "53"} or code.startswith("57P"):
        _leave_alone(alias, "gone", _PAUSE_GONE)
    else:
        return False
    return True


def _leave_alone(alias: str, outcome: str, seconds: float) -> bool:
    """Ask this replica nothing for so long."""
    _left_alone_until[alias] = time.monotonic() + seconds
    REPLICA_READS.labels(alias, outcome).inc()
    if outcome != "behind":
        connections[alias].close()
    return False


@contextmanager
def _in_place_of_the_primary(alias: str) -> Iterator[None]:
    """Have every statement of this thread, of models or not, go to the replica."""
    _local.primary = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections[alias]
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS], _local.primary = _local.primary, None


def _rows(database: Any, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
