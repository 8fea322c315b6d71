"""Jobs under kill -9, in two hands, and cancelled in the middle of a step."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from kombu.connection import Connection
from pytest_django import Settings

from core import jobs, relay, worker
from core.errors import Conflict
from core.models import DeadLetter, Event, Job, OutboxRow, ScheduleRun
from core.models.jobs import CANCELLED, RUNNING, SUCCEEDED
from core.permissions import Caller
from core.tests.job_kinds import GATE, STEPS, counted
from core.tests.processes import WorkerProcess
from core.tests.test_outages import eventually, in_background

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _forget() -> None:
    STEPS.clear()
    GATE.clear()


@pytest.fixture
def caller(transactional_db: None, owner: Any) -> Caller:
    return Caller.of(owner)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def run_task(row: OutboxRow) -> None:
    OutboxRow.objects.filter(pk=row.pk).update(dispatched_at=row.created_at)
    worker.run(row.pk)


def test_workers_killed_in_mid_job_lose_and_double_nothing(
    caller: Caller, broker: Connection, settings: Settings
) -> None:
    settings.OUTBOX_LEASE_SECONDS = 1.0
    settings.OUTBOX_RESEND_SECONDS = 1.0
    job = jobs.create_job("test.count", actor=caller, total=400, parameters={"pause": 0.05})
    process, kills = relay.Relay(), 0
    working = WorkerProcess()
    try:
        with in_background(process.run, process.stop):
            for part in (50, 150, 250):
                eventually(lambda: fresh(job).done >= part, within=300)  # noqa: B023  # called at once
                if part == 150:
                    working.kill()
                    working = WorkerProcess()
                    kills += 1
                else:
                    kills += working.kill_child()
            eventually(lambda: fresh(job).state == SUCCEEDED, within=300)
    finally:
        working.stop()

    assert kills == 3
    assert counted() == list(range(400))
    assert (fresh(job).done, DeadLetter.objects.count()) == (400, 0)
    assert Event.objects.filter(type="job.succeeded").count() == 1


def session_of_a_task(caller: Caller) -> int:
    """Return the number of the database's process that served one task."""
    job = jobs.create_job("test.session", actor=caller)
    eventually(lambda: fresh(job).state == SUCCEEDED, within=300)
    return fresh(job).done


def test_a_worker_keeps_its_connection_from_task_to_task_and_takes_another_when_it_is_cut(caller: Caller) -> None:
    process, working = relay.Relay(), WorkerProcess()
    try:
        with in_background(process.run, process.stop):
            kept = session_of_a_task(caller)
            assert session_of_a_task(caller) == kept
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [kept])
            assert session_of_a_task(caller) != kept
    finally:
        working.stop()

    assert DeadLetter.objects.count() == 0


def test_a_task_that_comes_twice_runs_once(caller: Caller) -> None:
    job = jobs.create_job("test.count", actor=caller, total=100, parameters={"gated_from": 0})
    row = OutboxRow.objects.get(task="core.tasks.run_job")
    OutboxRow.objects.filter(pk=row.pk).update(dispatched_at=row.created_at)

    with in_background(lambda: worker.run(row.pk), GATE.set):
        eventually(lambda: fresh(job).state == RUNNING)
        worker.run(row.pk)
        assert fresh(job).state == RUNNING

    assert (fresh(job).state, len(STEPS), counted()) == (SUCCEEDED, 10, list(range(100)))


def test_of_two_tasks_that_both_believe_they_hold_the_job_one_keeps_its_steps(caller: Caller) -> None:
    """A worker that was frozen for longer than its lease comes back while another is at it."""
    job = jobs.create_job("test.count", actor=caller, total=60, parameters={"pause": 0.1})
    OutboxRow.objects.all().delete()

    def carry_on() -> None:
        jobs.run(job_id=job.pk, turn=0)

    with in_background(carry_on, lambda: None):
        eventually(lambda: bool(STEPS))
        jobs.run(job_id=job.pk, turn=0)

    assert (fresh(job).state, counted()) == (SUCCEEDED, list(range(60)))
    assert len(STEPS) > 6
    assert Event.objects.filter(type="job.succeeded").count() == 1


def test_a_cancel_takes_the_step_at_hand_back(caller: Caller) -> None:
    job = jobs.create_job("test.count", actor=caller, total=100, parameters={"gated_from": 10})
    row = OutboxRow.objects.get(task="core.tasks.run_job")

    with in_background(lambda: run_task(row), GATE.set):
        eventually(lambda: len(STEPS) == 2)
        asked_at = time.monotonic()
        jobs.cancel_job(actor=caller, job_id=job.pk)
        took = time.monotonic() - asked_at

    assert took < 30  # the step at hand takes a minute, for all that it knows
    assert (fresh(job).state, fresh(job).done, counted()) == (CANCELLED, 10, list(range(10)))
    assert not OutboxRow.objects.filter(task="core.tasks.run_job").exists()


def test_of_cancel_and_last_step_one_wins(caller: Caller) -> None:
    for _ in range(20):
        ScheduleRun.objects.all().delete()
        job = jobs.create_job("test.count", actor=caller, total=10, parameters={"pause": 0.01})
        row = OutboxRow.objects.filter(task="core.tasks.run_job").latest("pk")
        with in_background(lambda row=row: run_task(row), lambda: None):  # type: ignore[misc]  # mypy infers no default
            answer = _cancel_or_conflict(caller, job)

        state = fresh(job).state
        assert (answer, state, counted()) in [
            ("cancelled", CANCELLED, []),
            ("conflict", SUCCEEDED, list(range(10))),
        ]


def _cancel_or_conflict(caller: Caller, job: Job) -> str:
    time.sleep(0.005)
    try:
        jobs.cancel_job(actor=caller, job_id=job.pk)
    except Conflict:
        return "conflict"
    return "cancelled"


def test_many_who_ask_for_a_single_job_get_one(caller: Caller) -> None:
    found = at_once(8, lambda: jobs.create_job("test.count", actor=caller, total=10, single_key="one").pk)

    assert len(set(found)) == 1
    assert Job.objects.count() == 1


def test_no_place_is_given_away_twice_or_lost(caller: Caller) -> None:
    at_once(8, lambda: jobs.create_job("test.count", actor=caller, total=10).pk)
    assert Job.objects.filter(admitted=True).count() == 2

    while (row := OutboxRow.objects.filter(task="core.tasks.run_job").order_by("pk").first()) is not None:
        run_task(row)
    assert set(Job.objects.values_list("state", flat=True)) == {SUCCEEDED}


def at_once(number: int, act: Callable[[], Any]) -> list[Any]:
    gate, found = threading.Barrier(number), []

    def run() -> None:
        try:
            gate.wait(60)
            found.append(act())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == number
    return found
