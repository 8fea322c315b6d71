"""The ground's own tasks."""

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.core.files.storage import default_storage

from core import events, jobs, maintenance, partitions, purge, schedules, seal, worker
from core.queue import task


@shared_task(name="core.run", Request="core.lost_workers:WatchedRequest", ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
def run(outbox_id: int, **_unknown: object) -> None:
    """Run one outbox row: the only task that Celery knows, so that a message is an id and nothing else."""
    worker.run(outbox_id)


@task(queue="default")
def handle_event(*, event_id: str, subscriber: str, **_unknown: object) -> None:
    """Give one event to one subscriber, once."""
    events.handle(event_id=UUID(event_id), subscriber=subscriber)


@task(queue="maintenance", max_attempts=5)
def run_schedule(*, run_id: int, name: str, **_unknown: object) -> None:
    """Run what a schedule is for."""
    schedules.run(run_id=run_id, name=name)


@task(queue="maintenance")
def export_audit_head(**_unknown: object) -> None:
    """Put the end of the sealed log where the database cannot reach it."""
    seal.export_head()


@task(queue="maintenance")
def remove_file(*, name: str, **_unknown: object) -> None:
    """Remove a stored file that nobody has any more; one that is gone already is none."""
    default_storage.delete(name)


@task(queue="maintenance")
def make_partitions(**_unknown: object) -> None:
    """Keep the coming months of the log ready."""
    partitions.make_partitions()


@task(queue="maintenance")
def maintain_database(**_unknown: object) -> str:
    """Give the planner fresh statistics, and look what has gone wrong in tables and indexes."""
    return str(maintenance.maintain())


@task(queue="maintenance")
def purge_expired(**_unknown: object) -> None:
    """Remove what has been kept long enough."""
    purge.purge()


def _give_up_job(*, job_id: str, turn: int, **_unknown: object) -> None:
    jobs.give_up(job_id=UUID(job_id), turn=turn)


@task(
    queue="bulk",
    first_delay=timedelta(seconds=2),
    longest_delay=timedelta(minutes=1),
    given_up=_give_up_job,
)
def run_job(*, job_id: str, turn: int, **_unknown: object) -> None:
    """Carry a job on for a slice of its steps."""
    jobs.run(job_id=UUID(job_id), turn=turn)


@task(queue="maintenance")
def remove_left_overs(*, job_id: str, **_unknown: object) -> None:
    """Delete what a job that has ended no longer needs."""
    jobs.remove_left_overs(job_id=UUID(job_id))


@task(queue="maintenance")
def remove_expired_files(**_unknown: object) -> None:
    """Delete the results of jobs that were kept long enough."""
    jobs.remove_expired_files()
