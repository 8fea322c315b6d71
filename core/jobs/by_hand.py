"""A job that a command carries on itself, from the first step to the last, without a worker.

Its task stays in the outbox, put off for as long as the command lives: should that be killed, a worker goes on.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from core.errors import Conflict
from core.jobs.running import run
from core.models import Job, OutboxRow
from core.models.jobs import UNFINISHED
from core.worker import ClockTime

_PUT_OFF: Final = timedelta(minutes=5)
_RENEWED: Final = 60.0

Told = Callable[[Job], None]


def put_off(job: Job) -> None:
    """Keep the job's task from the workers; in the transaction that makes the job.

    Raises `Conflict` for one that waits until others of its owner have ended.
    """
    if not _put_off(job.pk):
        raise Conflict("Two jobs of theirs are under way; wait until one has ended.")


def carry_on(job: Job, told: Told) -> Job:
    """Take the job's steps until it has ended, and tell of each; return it as it is then."""
    renewed = time.monotonic()

    def after_step(now: Job) -> None:
        nonlocal renewed
        told(now)
        if time.monotonic() - renewed > _RENEWED:
            renewed = time.monotonic()
            _put_off(job.pk)

    while job.state in UNFINISHED:
        run(job_id=job.pk, turn=job.turn, slice_seconds=float("inf"), after_step=after_step)
        job.refresh_from_db()
    return job


def _put_off(job_id: UUID) -> bool:
    task = OutboxRow.objects.filter(task="core.tasks.run_job", kwargs__job_id=str(job_id))
    return bool(task.update(due_at=ClockTime() + _PUT_OFF))
