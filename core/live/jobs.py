"""Which events of jobs a caller may read: those of their own."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from core.live.readers import reader
from core.models import Event
from core.permissions import Caller


@reader("job")
def own_jobs(caller: Caller, events: Sequence[Event]) -> Iterator[UUID]:
    """Yield what happened to the caller's own jobs."""
    return (event.id for event in events if caller.id in event.audience)
