import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from celery.schedules import crontab
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from core import queue, schedules
from core.models import DeadLetter, OutboxRow, ScheduleRun
from core.tests.spine import Drain

RAN: list[str] = []


@queue.task(queue="maintenance")
def tick(**_unknown: object) -> None:
    RAN.append("tick")


@queue.task(queue="maintenance")
def stumble(**_unknown: object) -> None:
    raise ValueError("a stone")


EVERY_MINUTE: schedules.Schedules = {"tick": (f"{__name__}.tick", timedelta(minutes=1), "bulk")}
TEST_SCHEDULES: schedules.Schedules = {
    **EVERY_MINUTE,
    "stumble": (f"{__name__}.stumble", timedelta(minutes=1), "maintenance"),
}
"""The setting SCHEDULES of these tests names this."""


@pytest.fixture(autouse=True)
def _forget() -> None:
    RAN.clear()


@pytest.fixture
def _ran_long_ago(db: None) -> None:
    for name in TEST_SCHEDULES:
        ScheduleRun.objects.create(name=name, due_at=datetime(2020, 1, 1, tzinfo=UTC), outcome=ScheduleRun.SUCCEEDED)


@pytest.mark.parametrize(
    ("every", "due"),
    [
        (timedelta(minutes=1), "2026-11-21T02:03:00"),
        (timedelta(hours=6), "2026-11-21T00:00:00"),
        (crontab(), "2026-11-21T02:03:00"),
        (crontab(minute="*/15"), "2026-11-21T02:00:00"),
        (crontab(minute="30", hour="3"), "2026-11-20T03:30:00"),
        (crontab(minute="0", hour="0", day_of_week="mon"), "2026-11-16T00:00:00"),
        (crontab(minute="0", hour="0", day_of_week="sun"), "2026-11-15T00:00:00"),
        (crontab(minute="0", hour="0", day_of_month="31"), "2026-10-31T00:00:00"),
        (crontab(minute="0", hour="0", day_of_month="29", month_of_year="2"), "2024-02-29T00:00:00"),
    ],
)
def test_the_last_due_time_is_the_latest_that_has_come(every: schedules.Every, due: str) -> None:
    now = datetime(2026, 11, 21, 2, 3, 4, tzinfo=UTC)

    assert schedules.last_due(every, now) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.usefixtures("_ran_long_ago")
def test_a_period_runs_once_though_the_clock_ticks_often(drain: Drain, settings: Settings) -> None:
    settings.SCHEDULES = f"{__name__}.TEST_SCHEDULES"

    assert schedules.make_due_runs(EVERY_MINUTE) == 1
    assert schedules.make_due_runs(EVERY_MINUTE) == 0
    assert OutboxRow.objects.get().queue == "bulk"
    assert drain() == 1

    assert RAN == ["tick"]
    run = ScheduleRun.objects.get(name="tick", due_at__year__gt=2020)
    assert (run.outcome, run.error) == (ScheduleRun.SUCCEEDED, "")
    assert run.started_at is not None
    assert run.finished_at is not None
    assert run.started_at <= run.finished_at


def test_a_new_schedule_begins_with_its_next_time(db: None) -> None:
    assert schedules.make_due_runs(EVERY_MINUTE) == 0

    assert ScheduleRun.objects.get().outcome == ScheduleRun.SKIPPED
    assert not OutboxRow.objects.exists()


@pytest.mark.usefixtures("_ran_long_ago")
def test_a_run_is_left_out_while_an_earlier_one_waits_for_a_worker(db: None) -> None:
    schedules.make_due_runs(EVERY_MINUTE)
    ScheduleRun.objects.filter(due_at__year__gt=2020).update(due_at=datetime(2021, 1, 1, tzinfo=UTC))

    assert schedules.make_due_runs(EVERY_MINUTE) == 0

    assert ScheduleRun.objects.order_by("due_at").last().outcome == ScheduleRun.SKIPPED  # type: ignore[union-attr]
    assert OutboxRow.objects.count() == 1


@pytest.mark.usefixtures("_ran_long_ago")
def test_a_run_that_fails_says_so_and_ends_in_the_dead_letters(drain: Drain, settings: Settings) -> None:
    settings.SCHEDULES = f"{__name__}.TEST_SCHEDULES"
    schedules.make_due_runs({"stumble": TEST_SCHEDULES["stumble"]})

    assert drain(ahead=timedelta(days=1)) == 5

    run = ScheduleRun.objects.get(name="stumble", due_at__year__gt=2020)
    assert (run.outcome, run.error) == (ScheduleRun.FAILED, "ValueError: a stone")
    assert DeadLetter.objects.get().attempts == 5


def test_two_clocks_make_one_run(transactional_db: None) -> None:
    ScheduleRun.objects.create(name="tick", due_at=datetime(2020, 1, 1, tzinfo=UTC))
    made: list[int] = []
    start = threading.Barrier(4)

    def tick_at_once() -> None:
        start.wait()
        made.append(schedules.make_due_runs(EVERY_MINUTE))
        connection.close()

    clocks = [threading.Thread(target=tick_at_once) for _ in range(4)]
    for clock in clocks:
        clock.start()
    for clock in clocks:
        clock.join()

    assert sum(made) == 1
    assert OutboxRow.objects.count() == 1


def test_every_schedule_leads_to_a_task() -> None:
    for path, _, queue_name in schedules.registered().values():
        assert queue.definition(path).path == path
        assert queue_name in queue.QUEUES


def test_beat_ticks_until_it_is_told_to_stop(transactional_db: None) -> None:
    printed = StringIO()
    threading.Thread(target=_terminate_after_a_tick, daemon=True).start()

    call_command("beat", stdout=printed)

    assert printed.getvalue() == "Beat stopped.\n"
    assert set(ScheduleRun.objects.values_list("name", flat=True)) == set(schedules.registered())


def _terminate_after_a_tick() -> None:
    try:
        while ScheduleRun.objects.count() < len(schedules.registered()):
            time.sleep(0.02)
    finally:
        connection.close()
        os.kill(os.getpid(), signal.SIGTERM)
