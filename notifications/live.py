"""Which events of notifications and webhooks a caller may read: those that are meant for them."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from core.live.readers import reader
from core.models import Event
from core.permissions import Caller


@reader("notification")
@reader("webhook")
def own_notifications(caller: Caller, events: Sequence[Event]) -> Iterator[UUID]:
    """Yield the events that name the caller in their audience."""
    return (event.id for event in events if caller.id in event.audience)
