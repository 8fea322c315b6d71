"""The ground's own tasks."""

from uuid import UUID

from celery import shared_task

from core import events, partitions, purge, schedules, seal, worker
from core.queue import task


@shared_task(name="core.run", ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
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
def make_partitions(**_unknown: object) -> None:
    """Keep the coming months of the log ready."""
    partitions.make_partitions()


@task(queue="maintenance")
def purge_expired(**_unknown: object) -> None:
    """Remove what has been kept long enough."""
    purge.purge()
