"""Runs one outbox row: claim, execute, remove; or count the failure and say when to try again.

A row is run by one worker at a time. The claim is a lease that a thread renews while the task runs,
so a worker that is killed gives its row back within seconds, and it holds through PgBouncer, where
session locks do not. A task that kills its worker never reports back; `runs` counts its starts, and what is known
of its end is where that thread last saw it, and what its worker's parent was told by the kernel.
"""

import logging
import random
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, models, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Now, Right

from core import context, queue
from core.models import DeadLetter, OutboxRow

logger = logging.getLogger(__name__)

MAX_RUNS: Final = 4
"""How often a row is started without ever reporting back: more, and it is taken for a killer of workers."""

_LONGEST_ERROR: Final = 10_000

# Neither waits for the disk. Should the database crash within the second, the row is there again and runs
# again, as it does when a worker is killed at this point; waiting would halve what a worker gets done.
_CLAIM: Final = """
UPDATE outbox SET runs = runs + 1, leased_by = %(token)s, due_at = clock_timestamp() + %(lease)s
FROM (SELECT set_config('synchronous_commit', 'off', true)) unhurried
WHERE id = %(id)s AND dispatched_at IS NOT NULL AND (leased_by IS NULL OR due_at <= clock_timestamp())
RETURNING outbox.*
"""
_REMOVE: Final = """
DELETE FROM outbox USING (SELECT set_config('synchronous_commit', 'off', true)) unhurried WHERE id = %s
"""

_held: Final[ContextVar[OutboxRow | None]] = ContextVar("held", default=None)


class ClockTime(models.Func):
    """`clock_timestamp()`: the database's wall clock, also inside a long transaction."""

    template = "clock_timestamp()"
    output_field = models.DateTimeField()


def run(outbox_id: int) -> None:
    """Run the row's task unless it is done, is not due or is being run by another worker."""
    row = _claim(outbox_id)
    if row is None:
        return
    if row.runs > MAX_RUNS:
        bury(row, reason=f"The worker died {MAX_RUNS} times while running this task.")
        return
    token = _held.set(row)
    try:
        with context.working(context.WorkContext(row.request_id, row.traceparent)), _renewed_lease(row):
            _execute(row)
    finally:
        _held.reset(token)


def note_progress() -> None:
    """Forget, in the caller's transaction, how often workers died of the task at hand: it has kept a part of its work.

    So only one that dies again and again at the same place is taken for a killer of workers.
    """
    row = _held.get()
    if row is not None and row.runs > 1:
        OutboxRow.objects.filter(id=row.id, leased_by=row.leased_by).update(runs=1)


def _claim(outbox_id: int) -> OutboxRow | None:
    parameters = {"id": outbox_id, "token": uuid4(), "lease": _lease()}
    return next(iter(OutboxRow.objects.raw(_CLAIM, parameters)), None)


def _execute(row: OutboxRow) -> None:
    try:
        definition = queue.definition(row.task)
    except (ImportError, LookupError) as missing:
        logger.warning("task unknown", extra={"task": row.task, "outbox_id": row.id})
        _fail(row, reason=str(missing))
        return
    try:
        definition.function(**row.kwargs)
    except queue.RetryLater as later:
        logger.info("task postponed", extra={"task": row.task, "outbox_id": row.id, "reason": later.reason})
        _fail(row, reason=later.reason, after=later.after, is_attempt=later.is_attempt)
    except queue.GiveUp as verdict:
        bury(row, reason=str(verdict), attempts=row.attempts + 1)
    except Exception as error:
        logger.exception("task failed", extra={"task": row.task, "outbox_id": row.id})
        _fail(row, reason=f"{type(error).__name__}: {error}", trace=traceback.format_exc())
    else:
        _remove(row)


def _remove(row: OutboxRow) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE, [row.id])


def _fail(
    row: OutboxRow, *, reason: str, trace: str = "", after: timedelta | None = None, is_attempt: bool = True
) -> None:
    definition = queue.TASKS.get(row.task)
    attempts = row.attempts + is_attempt
    if is_attempt and definition is not None and attempts >= definition.max_attempts:
        bury(row, reason=reason, trace=trace, attempts=attempts)
        return
    wait = after if after is not None else _backoff(definition, attempts)
    OutboxRow.objects.filter(id=row.id, leased_by=row.leased_by).update(
        attempts=attempts,
        runs=0,
        sends=0,
        leased_by=None,
        dispatched_at=None,
        due_at=ClockTime() + wait,
        last_error=trace or reason,
    )


def _backoff(definition: queue.TaskDefinition | None, attempts: int) -> timedelta:
    if definition is None:
        # A release that knows this task is on its way, or has been rolled back: no hurry, no giving up.
        return timedelta(minutes=1)
    return definition.delay_after(attempts) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not a secret


@transaction.atomic
def bury(row: OutboxRow, *, reason: str, trace: str = "", attempts: int | None = None) -> None:
    """Move the row to the dead letters, if this worker still holds it."""
    deleted, _ = OutboxRow.objects.filter(id=row.id, leased_by=row.leased_by).delete()
    if not deleted:
        return
    DeadLetter.objects.create(
        outbox_id=row.id,
        task=row.task,
        queue=row.queue,
        kwargs=row.kwargs,
        request_id=row.request_id,
        traceparent=row.traceparent,
        attempts=row.attempts if attempts is None else attempts,
        reason=reason[:500],
        traceback=trace or row.last_error,
        first_at=row.created_at,
        last_at=Now(),
    )
    _tell_given_up(row)
    logger.error("task given up", extra={"task": row.task, "outbox_id": row.id, "reason": reason})


def _tell_given_up(row: OutboxRow) -> None:
    try:
        definition = queue.definition(row.task)
    except (ImportError, LookupError):
        return
    if definition.given_up is not None:
        definition.given_up(**row.kwargs)


@contextmanager
def _renewed_lease(row: OutboxRow) -> Iterator[None]:
    done = threading.Event()
    arguments = (row.id, row.leased_by, done, threading.get_ident())
    keeper = threading.Thread(target=_keep_lease, args=arguments, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()


def _keep_lease(outbox_id: int, token: UUID, done: threading.Event, worked_by: int) -> None:
    while not done.wait(_lease().total_seconds() / 4):
        try:
            OutboxRow.objects.filter(id=outbox_id, leased_by=token).update(
                due_at=ClockTime() + _lease(), last_error=_last_seen(worked_by)
            )
        except (DatabaseError, InterfaceError):
            logger.warning("lease not renewed", exc_info=True, extra={"outbox_id": outbox_id})
            connection.close()
    connection.close()


def _last_seen(thread: int) -> str:
    """Return where a thread is at this moment: of a task that is killed later on, it is all the traceback there is."""
    frame = sys._current_frames().get(thread)
    return f"Last seen here:\n{''.join(traceback.format_stack(frame))}" if frame else ""


def note_lost(outbox_id: int, *, reason: str) -> None:
    """Write down how a worker ended that was running the row, for whoever reads its dead letter."""
    line = Concat(F("last_error"), Value(f"{reason}\n"), output_field=models.TextField())
    OutboxRow.objects.filter(id=outbox_id).update(last_error=Right(line, _LONGEST_ERROR))


def _lease() -> timedelta:
    return timedelta(seconds=settings.OUTBOX_LEASE_SECONDS)
