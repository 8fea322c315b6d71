"""The ground's own tasks."""

from uuid import UUID

from celery import shared_task

from core import events, worker
from core.queue import task


@shared_task(name="core.run", ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
def run(outbox_id: int, **_unknown: object) -> None:
    """Run one outbox row: the only task that Celery knows, so that a message is an id and nothing else."""
    worker.run(outbox_id)


@task(queue="default")
def handle_event(*, event_id: str, subscriber: str, **_unknown: object) -> None:
    """Give one event to one subscriber, once."""
    events.handle(event_id=UUID(event_id), subscriber=subscriber)
