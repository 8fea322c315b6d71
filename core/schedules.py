"""The clock: makes one run for each period of each schedule, however many clocks there are.

A period that was missed while no clock ran is made up for once. Time is the database's, in UTC, so
neither a host's wrong clock nor summer time runs a schedule twice.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Final, TypeAlias

from celery.schedules import crontab
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from core import seal
from core.events import publish
from core.models import OutboxRow, ScheduleRun
from core.permissions import Caller
from core.queue import definition, enqueue
from core.worker import ClockTime

logger = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0
_RESULT_LENGTH: Final = 10_000

Every: TypeAlias = crontab | timedelta
Schedules: TypeAlias = Mapping[str, tuple[str, Every, str]]


def registered() -> Schedules:
    """Return every schedule by name: (task path, period, queue)."""
    schedules: Schedules = import_string(settings.SCHEDULES)
    return schedules


def last_due(every: Every, now: datetime) -> datetime:
    """Return the latest time at or before `now` (UTC) at which `every` is due."""
    if isinstance(every, timedelta):
        since_epoch = now - datetime(1970, 1, 1, tzinfo=UTC)
        return now - since_epoch % every
    # Ends, because crontab refuses a date that never comes.
    days = (now.date() - timedelta(days=days) for days in count())
    return next(moment for day in days for moment in _times_of_day(every, day) if moment <= now)


def _times_of_day(every: crontab, day: date) -> Iterator[datetime]:
    matches = (
        day.month in every.month_of_year and day.day in every.day_of_month and day.isoweekday() % 7 in every.day_of_week
    )
    if not matches:
        return
    for hour in sorted(every.hour, reverse=True):
        for minute in sorted(every.minute, reverse=True):
            yield datetime.combine(day, time(hour, minute), tzinfo=UTC)


def make_due_runs(schedules: Schedules) -> int:
    """Plan a run for each schedule whose period has begun and has none yet; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now = cursor.fetchone()[0].astimezone(UTC)
    return sum(_plan(name, queue, last_due(every, now)) for name, (_, every, queue) in schedules.items())


@transaction.atomic
def _plan(name: str, queue: str, due_at: datetime) -> bool:
    if ScheduleRun.objects.filter(name=name, due_at__gte=due_at).exists():
        return False
    is_new = not ScheduleRun.objects.filter(name=name).exists()
    outcome = ScheduleRun.SKIPPED if is_new or _is_waiting(name) else ScheduleRun.PLANNED
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO schedule_runs (name, due_at, outcome) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
            [name, due_at, outcome],
        )
        inserted = cursor.fetchone()
    if inserted is None or outcome == ScheduleRun.SKIPPED:
        return False
    enqueue("core.tasks.run_schedule", queue=queue, run_id=inserted[0], name=name)
    return True


def _is_waiting(name: str) -> bool:
    """Return whether an earlier run still waits for a worker: one is enough when they come back."""
    return OutboxRow.objects.filter(task="core.tasks.run_schedule", kwargs__name=name).exists()


@transaction.atomic
def run_now(*, name: str, actor: Caller) -> ScheduleRun:
    """Plan a run of the schedule outside its periods."""
    _, _, queue = registered()[name]
    planned = ScheduleRun.objects.create(name=name, due_at=ClockTime())
    publish("schedule.run", subject=planned, actor=actor, data={"name": name})
    enqueue("core.tasks.run_schedule", queue=queue, run_id=planned.id, name=name)
    return planned


def run(*, run_id: int, name: str) -> None:
    """Run the schedule's task and record when it began, when it ended and how, with what it has to say."""
    path = registered()[name][0]
    with _recorded(run_id) as row:
        row.update(result=str(definition(path).function() or "")[:_RESULT_LENGTH])


@contextmanager
def _recorded(run_id: int) -> Iterator[QuerySet[ScheduleRun]]:
    row = ScheduleRun.objects.filter(id=run_id)
    row.update(outcome=ScheduleRun.RUNNING, started_at=ClockTime(), finished_at=None, error="", result="")
    try:
        yield row
    except Exception as error:
        row.update(outcome=ScheduleRun.FAILED, finished_at=ClockTime(), error=f"{type(error).__name__}: {error}"[:500])
        raise
    row.update(outcome=ScheduleRun.SUCCEEDED, finished_at=ClockTime())


class Clock:
    """The process `manage.py beat`: plans due runs and seals the log, each second; outlives the database's outages."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Make `run` return after the second at hand."""
        self._stopped.set()

    def run(self) -> None:
        """Tick until `stop` is called."""
        while not self._stopped.is_set():
            try:
                self._tick()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("clock interrupted", extra={"error": str(error)})
                connection.close()
            self._stopped.wait(TICK_SECONDS)
        connection.close()

    def _tick(self) -> None:
        planned = make_due_runs(registered())
        if planned:
            logger.info("schedules planned", extra={"runs": planned})
        seal.seal_all()
