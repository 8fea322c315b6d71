"""A job's life outside its steps: it is made, admitted, cancelled, given up, tried again.

Of one owner's jobs `MOST_AT_ONCE` have a task in the queue; the others wait until one of these ends. So a
queue is never full of one person's work, and the next person's job waits for a slice or two, not for all.
"""

from datetime import datetime, timedelta
from typing import IO, Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from core import context
from core.errors import Conflict, NotFound
from core.events import publish
from core.identifiers import uuid7
from core.jobs import files
from core.jobs.kinds import KINDS, kind_of
from core.locks import NamedLock
from core.models import Job
from core.models.jobs import CANCELLED, FAILED, QUEUED, SUCCEEDED
from core.permissions import SYSTEM, Caller
from core.queue import enqueue
from core.worker import ClockTime

MOST_AT_ONCE: Final = 2
MOST_UNFINISHED: Final = 100
FILES_KEPT: Final = timedelta(days=7)
_PLACES: Final = NamedLock("jobs")
"""Of an owner: held while it is decided whether one more of theirs may wait or run."""

_LEFT_OVERS_KEPT: Final = timedelta(hours=1)
"""When the folder of a cancelled job is looked at again: a step that was under way may have written after us."""

GIVEN_UP: Final = ("internal_error", "This failed on our side; those who run this server can see why.")


@transaction.atomic
def create_job(
    kind: str,
    /,
    *,
    actor: Caller,
    parameters: dict[str, Any] | None = None,
    total: int | None = None,
    single_key: str | None = None,
    job_id: UUID | None = None,
) -> Job:
    """Promise a job of this kind to the actor, in the caller's transaction.

    `job_id` is that of a job whose files were stored before there was a row: see `store_beforehand`.

    `parameters` are JSON and no secrets: staff can read them. Of a kind and `single_key` one job is unfinished
    at most: it is returned instead of another. Raises `Conflict` when the actor has too many unfinished ones,
    and LookupError for a kind that there is not.
    """
    kind_of(kind)
    _lock_owner(actor.id)
    own = Job.objects.unfinished().filter(owner_id=actor.id)
    twin = Job.objects.unfinished().filter(kind=kind, single_key=single_key).first() if single_key else None
    if twin is not None:
        return twin
    if own.count() >= MOST_UNFINISHED:
        raise Conflict(f"You have {MOST_UNFINISHED} unfinished jobs; wait for one to end, or cancel one.")
    job = Job.objects.create(
        id=job_id or uuid7(),
        kind=kind,
        owner_id=actor.id,
        token_id=actor.token_id,
        parameters=parameters or {},
        total=total,
        single_key=single_key,
        request_id=context.current().request_id,
    )
    publish("job.created", subject=job, actor=actor, data={"kind": kind}, audience=job.audience)
    admit(actor.id)
    return job


def store_beforehand(content: IO[bytes], *, name: str) -> tuple[UUID, str]:
    """Store a file for a job that is about to be made; return the id to make it with, and the file's name.

    It is not stored in the transaction that makes the job: that would hold the owner's lock for as long. Where no job
    comes of it, the file goes within the hour, whatever was killed when.
    """
    job_id = uuid7()
    enqueue("core.tasks.remove_left_overs", delay=_LEFT_OVERS_KEPT, job_id=job_id)
    return job_id, files.save(job_id, content, name=name)


@transaction.atomic
def cancel_job(*, actor: Caller, job_id: UUID) -> Job:
    """End a job before it has succeeded; what its step at hand did is taken back. Cancelled before, it stays so.

    Raises `NotFound` for a job that the actor may not see, `Conflict` for one that ended otherwise.
    """
    job = _locked(actor, job_id)
    if job.state == CANCELLED:
        return job
    if job.is_finished:
        raise Conflict(f"This job has {job.state} already.")
    end(job, CANCELLED, actor=actor, keep_files=_LEFT_OVERS_KEPT)
    return job


@transaction.atomic
def retry_job(*, actor: Caller, job_id: UUID) -> Job:
    """Let a failed job go on from its checkpoint; raises `NotFound`, or `Conflict` for one in another state."""
    job = _locked(actor, job_id)
    if job.state != FAILED:
        raise Conflict(f"This job is {job.state}, not failed.")
    _lock_owner(job.owner_id)
    if job.single_key and Job.objects.unfinished().filter(kind=job.kind, single_key=job.single_key).exists():
        raise Conflict("Another job of this kind is under way.")
    job.state, job.admitted = QUEUED, False
    job.error_code = job.error = ""
    job.finished_at = job.files_until = None
    _save(job, "state", "admitted", "error_code", "error", "finished_at", "files_until")
    publish("job.retried", subject=job, actor=actor, data={"kind": job.kind}, audience=job.audience)
    admit(job.owner_id)
    return job


@transaction.atomic
def give_up(*, job_id: UUID, turn: int) -> None:
    """Mark the job as failed whose task was given up; the reason is with the dead letter.

    The turn stays, so that the dead letter, run again, carries the job on.
    """
    job = Job.objects.unfinished().select_for_update().filter(pk=job_id, turn=turn).first()
    if job is not None:
        job.error_code, job.error = GIVEN_UP
        end(job, FAILED, actor=SYSTEM, next_turn=False)


def fail(job: Job, *, code: str, message: str) -> None:
    """Mark the locked job as failed, for a reason that its owner is told."""
    job.error_code, job.error = code[:50], message[:500]
    end(job, FAILED, actor=SYSTEM)


def end(job: Job, state: str, *, actor: Caller, keep_files: timedelta = FILES_KEPT, next_turn: bool = True) -> None:
    """Bring the locked job into a final state, tell of it, and let the owner's next job begin."""
    job.state = state
    job.finished_at = Now()
    job.files_until = ClockTime() + keep_files
    _save(job, "state", "error_code", "error", "finished_at", "files_until", next_turn=next_turn)
    tell_of_end(job, actor=actor)


def tell_of_end(job: Job, *, actor: Caller = SYSTEM) -> None:
    """Publish how the job ended, have its left-overs removed, and let the owner's next job begin."""
    facts: dict[str, Any] = {"kind": job.kind, "done": job.done, "failed": job.failed}
    if job.error_code:
        facts["error"] = {"code": job.error_code, "message": job.error}
    publish(f"job.{job.state}", subject=job, actor=actor, data=facts, audience=job.audience)
    if job.state in {SUCCEEDED, CANCELLED}:
        enqueue("core.tasks.remove_left_overs", job_id=job.pk)
    _lock_owner(job.owner_id)
    admit(job.owner_id)


def admit(owner_id: UUID | None) -> int:
    """Give the owner's oldest waiting jobs a task, as far as there is room; return how many.

    The caller holds the owner's lock, so that two cannot give away one place.
    """
    unfinished = Job.objects.unfinished().filter(owner_id=owner_id)
    room = MOST_AT_ONCE - unfinished.filter(admitted=True).count()
    if room <= 0:
        return 0
    # Locked by another, a job is being cancelled, and whoever does that admits the next.
    waiting = unfinished.filter(admitted=False).select_for_update(skip_locked=True).order_by("created_at", "pk")
    chosen = list(waiting[:room])
    Job.objects.filter(pk__in=[job.pk for job in chosen]).update(admitted=True)
    for job in chosen:
        enqueue("core.tasks.run_job", queue=queue_of(job.kind), job_id=job.pk, turn=job.turn)
    return len(chosen)


def queue_of(kind: str) -> str:
    """Return the queue in which jobs of this kind are worked off."""
    return KINDS[kind].queue if kind in KINDS else "bulk"


def _locked(actor: Caller, job_id: UUID) -> Job:
    job = Job.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=job_id).first()
    if job is None:
        raise NotFound
    return job


def _save(job: Job, *fields: str, next_turn: bool = True) -> None:
    job.version += 1
    job.turn += next_turn
    job.save(update_fields=[*fields, "version", "turn"])
    job.refresh_from_db(fields=fields)


def _lock_owner(owner_id: UUID | None) -> None:
    """Let one transaction at a time decide over the owner's places."""
    _PLACES.hold(of=str(owner_id))


def may_fetch(caller: Caller, job: Job) -> bool:
    """Return whether the caller is handed the job's result: its owner alone, and if its kind agrees."""
    if not job.result or job.owner_id is None or job.owner_id != caller.id or job.kind not in KINDS:
        return False
    return KINDS[job.kind].may_fetch(caller)


def expiry_of(job: Job) -> datetime | None:
    """Return when the result goes, or None when there is none."""
    return job.files_until if job.result else None
