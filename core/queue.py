"""Background work: promised in the caller's transaction, run by a worker after commit, at least once.

`enqueue` writes one row; `core.relay` puts it on the broker; `core.worker` runs it and removes the
row. The request path never talks to the broker, so a broker that is down loses nothing and slows nobody.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

from django.db import connection
from django.db.models.functions import Now

from core import context
from core.models import OutboxRow

JSON: TypeAlias = Any
"""What `json.dumps` takes, and UUIDs and times, which travel as text."""

QUEUES: Final = ("critical", "default", "notifications", "webhooks", "bulk", "maintenance")


class RetryLater(Exception):  # it is an instruction, not a failure
    """Raised by a task that cannot do its work now: run it again after `after`.

    The attempt counts, unless it was none (`is_attempt`): whoever says so knows that it comes to an end.
    """

    def __init__(self, *, after: timedelta | None = None, reason: str, is_attempt: bool = True) -> None:
        self.after = after
        self.reason = reason
        self.is_attempt = is_attempt
        super().__init__(reason)


class GiveUp(Exception):  # it is an instruction, not a failure
    """Raised by a task that knows that trying again is of no use: straight to the dead letters."""


Function: TypeAlias = Callable[..., str | None]
"""What runs when a task does; a text that it returns says what was done."""


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A task by its path, its queue and how often and how fast it is tried again."""

    path: str
    function: Function
    queue: str
    max_attempts: int
    first_delay: timedelta
    longest_delay: timedelta
    given_up: Callable[..., None] | None = None

    def delay_after(self, attempts: int) -> timedelta:
        """Return the wait after the given number of failed attempts: fourfold each time, bounded."""
        factor: int = 4 ** min(attempts - 1, 16)
        return min(self.first_delay * factor, self.longest_delay)


TASKS: Final[dict[str, TaskDefinition]] = {}


def task(
    *,
    queue: str = "default",
    max_attempts: int = 8,
    first_delay: timedelta = timedelta(seconds=5),
    longest_delay: timedelta = timedelta(hours=6),
    given_up: Callable[..., None] | None = None,
) -> Callable[[Function], Function]:
    """Make a function of `<app>/tasks.py` a task; it takes ids by keyword, accepts unknown ones and may run twice.

    What it returns is shown beside its runs where it is a schedule's, and otherwise goes to nobody.
    `given_up` is called with the same keywords in the transaction that moves a run to the dead letters.
    """
    if queue not in QUEUES:
        raise ValueError(f"There is no queue {queue!r}; there are {', '.join(QUEUES)}.")

    def register(function: Function) -> Function:
        path = f"{function.__module__}.{function.__qualname__}"
        TASKS[path] = TaskDefinition(path, function, queue, max_attempts, first_delay, longest_delay, given_up)
        return function

    return register


def definition(path: str) -> TaskDefinition:
    """Return the task that stands at `path`, after importing its module; LookupError when there is none."""
    if path not in TASKS:
        importlib.import_module(path.rpartition(".")[0])
    try:
        return TASKS[path]
    except KeyError:
        raise LookupError(f"{path} is not a task.") from None


def enqueue(task: str, /, *, delay: timedelta = timedelta(0), queue: str = "", **kwargs: JSON) -> None:
    """Promise one run of `task`: a row in the current transaction, nothing when that rolls back.

    `kwargs` are ids and plain values, never secrets: the row can be read in the admin. `queue` replaces
    the task's own.
    """
    enqueue_many(task, [kwargs], delay=delay, queue=queue)


def enqueue_many(
    task: str, calls: list[dict[str, JSON]], /, *, delay: timedelta = timedelta(0), queue: str = ""
) -> None:
    """Promise one run of `task` for each set of keyword arguments, with one statement."""
    queue = queue or definition(task).queue
    work = context.current()
    OutboxRow.objects.bulk_create(
        OutboxRow(
            task=task,
            queue=queue,
            kwargs=kwargs,
            request_id=work.request_id,
            traceparent=work.traceparent,
            due_at=Now() + delay,
        )
        for kwargs in calls
    )


def lag() -> dict[str, Any]:
    """Return how the background work stands: for metrics, health and the dashboard; one statement.

    `outbox_lag_seconds` is how long the oldest due row has waited for the relay.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LAG)
        waiting, running, oldest, letters = cursor.fetchone()
        cursor.execute("SELECT queue, count(*) FROM outbox GROUP BY queue")
        depth = dict.fromkeys(QUEUES, 0) | dict(cursor.fetchall())
    return {
        "outbox_rows": waiting + running,
        "outbox_running": running,
        "outbox_lag_seconds": float(oldest),
        "queue_depth": depth,
        "dead_letters": letters,
    }


_LAG: Final = """
SELECT count(*) FILTER (WHERE leased_by IS NULL),
       count(*) FILTER (WHERE leased_by IS NOT NULL),
       coalesce(extract(epoch FROM clock_timestamp()
           - min(due_at) FILTER (WHERE dispatched_at IS NULL AND due_at <= clock_timestamp())), 0),
       (SELECT count(*) FROM dead_letters)
FROM outbox
"""
