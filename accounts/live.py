"""Which events of accounts a caller may read: those about themselves, and about roles who may read roles."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from core.live.readers import reader
from core.models import Event
from core.permissions import Caller


@reader("user")
@reader("session")
@reader("api_token")
@reader("impersonation")
@reader("passkey")
def own_events(caller: Caller, events: Sequence[Event]) -> Iterator[UUID]:
    """Yield what happened to the caller's own account and sessions."""
    return (event.id for event in events if event.subject_id == str(caller.id) or caller.id in event.audience)


@reader("role", scope="read:role")
def role_events(caller: Caller, events: Sequence[Event]) -> list[UUID]:
    """Return all of them to whoever may read roles."""
    return [event.id for event in events] if caller.holds("read:role") else []
