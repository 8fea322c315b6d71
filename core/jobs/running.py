"""Runs a job: a slice of steps at a time, each of which is kept whole or not at all.

A slice is one outbox task. Its last step enqueues the next slice in its own transaction, so there is always
exactly one task that carries the job on. A worker that is killed loses the step at hand, and the task comes
back to another worker by its lease. Should two ever hold it, the one that began later has changed `version`,
and the step of the other is rolled back.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Coalesce, Now

from core.events import publish
from core.jobs import files, lifecycle
from core.jobs.kinds import Done, JobFailed, JobKind, Work, kind_of
from core.models import Job
from core.models.jobs import CANCELLED, FAILED, RUNNING, SUCCEEDED, UNFINISHED
from core.permissions import SYSTEM
from core.queue import RetryLater, enqueue
from core.worker import ClockTime, note_progress

SLICE_SECONDS: Final = 10.0
"""How long a task goes on taking steps before others have their turn."""


class _Overtaken(Exception):  # it never leaves this module
    """The job was cancelled or begun anew while a step was under way."""


def run(
    *, job_id: UUID, turn: int, slice_seconds: float | None = None, after_step: Callable[[Job], None] = lambda _: None
) -> None:
    """Carry the job on for a slice; nothing when it has ended or another task has the turn."""
    job = _begin(job_id, turn)
    if job is None:
        return
    kind = _kind_of(job)
    ends_at = time.monotonic() + (SLICE_SECONDS if slice_seconds is None else slice_seconds)
    try:
        with files.OpenFiles() as opened:
            while job.state == RUNNING and job.turn == turn:
                _take_step(job, kind, ends_at, opened)
                after_step(job)
    except _Overtaken:
        remove_left_overs(job_id=job_id)
    except JobFailed as verdict:
        _fail(job, verdict)


@transaction.atomic
def _begin(job_id: UUID, turn: int) -> Job | None:
    """Return the job as ours to run; a failed one too, when staff have put its dead letter back."""
    job = Job.objects.select_for_update().filter(pk=job_id, turn=turn, state__in=(*UNFINISHED, FAILED)).first()
    if job is None:
        return None
    was_running = job.state == RUNNING
    Job.objects.filter(pk=job_id).update(
        state=RUNNING,
        admitted=True,
        version=job.version + 1,
        started_at=Coalesce("started_at", Now()),
        finished_at=None,
        files_until=None,
        error_code="",
        error="",
    )
    job.refresh_from_db()
    if not was_running:
        publish("job.started", subject=job, actor=SYSTEM, data={"kind": job.kind}, audience=job.audience)
    return job


def _kind_of(job: Job) -> JobKind:
    try:
        return kind_of(job.kind)
    except LookupError as unknown:
        # A release that knows it is on its way, or has been rolled back.
        raise RetryLater(after=timedelta(minutes=1), reason=str(unknown)) from None


def _take_step(job: Job, kind: JobKind, ends_at: float, opened: files.OpenFiles) -> None:
    work = Work.on(job, opened)
    with transaction.atomic() if kind.in_transaction else nullcontext():
        outcome = kind.step(work)
        _keep(job, work, outcome, goes_on=time.monotonic() < ends_at)


@transaction.atomic
def _keep(job: Job, work: Work, outcome: Done | None, *, goes_on: bool) -> None:
    """Write down what the step has done, unless somebody else has changed the job since it began."""
    changes: dict[str, Any] = {
        "version": job.version + 1,
        "checkpoint": work.checkpoint,
        "total": work.total,
        "done": work.done,
        "failed": work.failed,
    }
    if outcome is not None:
        changes |= _success(outcome)
    elif not goes_on:
        changes["turn"] = job.turn + 1
    if not Job.objects.filter(pk=job.pk, version=job.version, state=RUNNING).update(**changes):
        raise _Overtaken
    note_progress()
    previous_turn = job.turn
    job.refresh_from_db()
    if outcome is not None:
        lifecycle.tell_of_end(job)
    elif job.turn != previous_turn:
        enqueue("core.tasks.run_job", queue=lifecycle.queue_of(job.kind), job_id=job.pk, turn=job.turn)


def _success(outcome: Done) -> dict[str, Any]:
    return {
        "state": SUCCEEDED,
        "finished_at": Now(),
        "files_until": ClockTime() + lifecycle.FILES_KEPT,
        "result": outcome.stored,
        "result_name": outcome.filename,
        "result_type": outcome.content_type if outcome.stored else "",
    }


@transaction.atomic
def _fail(job: Job, verdict: JobFailed) -> None:
    current = Job.objects.select_for_update().filter(pk=job.pk, version=job.version, state=RUNNING).first()
    if current is not None:
        lifecycle.fail(current, code=verdict.code, message=verdict.message)


def remove_left_overs(*, job_id: UUID) -> None:
    """Delete what a job left behind: the parts of a success, every file of one that was cancelled or deleted."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None or job.state in {SUCCEEDED, CANCELLED}:
        files.remove(job_id, keep=job.result if job else "")


def remove_expired_files() -> int:
    """Delete the files of jobs that ended long enough ago, results included; return of how many jobs."""
    count = 0
    while _remove_files_of_one():
        count += 1
    return count


@transaction.atomic
def _remove_files_of_one() -> bool:
    """Take one job whose files are past their time; locked, so that nobody begins it anew meanwhile."""
    expired = Job.objects.exclude(state__in=UNFINISHED).filter(files_until__lt=Now())
    job = expired.select_for_update(skip_locked=True).order_by("files_until").first()
    if job is None:
        return False
    files.remove(job.pk)
    Job.objects.filter(pk=job.pk).update(result="", files_until=None)
    return True
