"""Kinds of jobs that tests run, in this process and in workers of their own."""

import io
import threading
import time
from typing import Any, Final
from uuid import uuid4

from django.db import connection

from core import worker
from core.jobs import Done, JobFailed, Work, create_job, job_kind
from core.models import Job, OutboxRow, ScheduleRun
from core.permissions import Caller

ROWS_A_STEP: Final = 10
TROUBLE: Final[list[Exception]] = []
GATE: Final = threading.Event()
"""What the steps of a job wait for from the one on that begins at its `gated_from`, for a minute at most."""
STEPS: Final[list[str]] = []


@job_kind("test.count", title="Counting", tells_of=("succeeded", "failed"))
def count(work: Work) -> Done | None:
    """Write the numbers from 0 to `total`, ten in a step, each in a row that nothing keeps from being doubled."""
    STEPS.append(str(work.job_id))
    total = work.total or 0
    upper = min(work.done + ROWS_A_STEP, total)
    ScheduleRun.objects.bulk_create(
        ScheduleRun(name=f"counted {uuid4()}", due_at="2020-01-01T00:00:00Z", error=str(number))
        for number in range(work.done, upper)
    )
    if TROUBLE:
        raise TROUBLE.pop()
    time.sleep(work.parameters.get("pause", 0))
    if work.done >= work.parameters.get("gated_from", total):
        GATE.wait(60)
    work.done = upper
    return Done() if work.done == total else None


class WorkerDied(BaseException):
    """What no code of ours catches: the worker reports nothing, as one that was killed."""


@job_kind("test.mortal", title="Dying")
def die_at_every_other_step(work: Work) -> Done | None:
    """Count as `count` does, and take the worker along at each second step."""
    done = count(work)
    if len(STEPS) % 2 == 0:
        raise WorkerDied
    return done


@job_kind("test.write", title="Writing", in_transaction=False)
def write(work: Work) -> Done | None:
    """Write a part in each of three steps, then put them together."""
    parts = work.checkpoint.setdefault("parts", [])
    if TROUBLE:
        raise TROUBLE.pop()
    if len(parts) < 3:
        parts.append(work.save(io.BytesIO(b"part %d\n" % len(parts)), name="part"))
        work.done, work.total = len(parts), 3
        return None
    whole = b"".join(_content(work, part) for part in parts)
    return Done(stored=work.save(io.BytesIO(whole), name="whole.txt"), filename="whole.txt", content_type="text/plain")


def _content(work: Work, part: str) -> bytes:
    with work.open(part) as file:
        return file.read()


def _nobody(caller: Caller) -> bool:
    return False


@job_kind("test.secret", title="A secret", in_transaction=False, may_fetch=_nobody)
def keep_secret(work: Work) -> Done:
    """Write one file, which its kind hands to nobody."""
    return Done(stored=work.save(io.BytesIO(b"secret"), name="secret"), filename="secret")


@job_kind("test.refuse", title="Refusing")
def refuse(work: Work) -> Done | None:
    """Fail, for a reason that the owner can mend."""
    count(work)
    raise JobFailed("Row 3 has no name.", code="bad_row")


@job_kind("test.session", title="Saying who the database speaks to")
def note_session(work: Work) -> Done:
    """Write down the number of the database's process that serves this worker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ((number,),) = cursor.fetchall()
    work.total = work.done = number
    return Done()


def counted() -> list[int]:
    """Return the numbers that were written, in order, doubles and all."""
    rows = ScheduleRun.objects.filter(name__startswith="counted ")
    return sorted(int(number) for number in rows.values_list("error", flat=True))


def begin(caller: Caller, kind: str = "test.count", **values: Any) -> Job:
    """Promise a job; one that counts has three steps unless said."""
    values = {"total": 3 * ROWS_A_STEP, **values} if kind == "test.count" else values
    return create_job(kind, actor=caller, **values)


def fresh(job: Job) -> Job:
    """Return the job as it is now."""
    return Job.objects.get(pk=job.pk)


def run_one_slice() -> None:
    """Run one slice of the one job there is."""
    row = OutboxRow.objects.get(task="core.tasks.run_job")
    OutboxRow.objects.filter(pk=row.pk).update(dispatched_at=row.created_at)
    worker.run(row.pk)
