"""Which events of resources and files a caller may read: those of what they may read at this moment."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from core.audit import shows
from core.live.readers import reader
from core.models import Event
from core.permissions import Caller
from resources import payloads
from resources.models import File, Resource


@shows("resource")
def without_hidden_fields(caller: Caller, events: Sequence[Event]) -> Mapping[UUID, dict[str, Any]]:
    """Return what the caller may see of each event's payload."""
    return payloads.shown_payloads(caller, events)


@reader("resource", scope="read:resource")
def readable_resource_events(caller: Caller, events: Sequence[Event]) -> Iterator[UUID]:
    """Yield the events of visible resources; one in the bin, by whoever may bring it back; and transfers from oneself.

    Who is otherwise in the audience is told, and has to be a reader like everyone else.
    """
    subjects = {event.subject_id for event in events if event.subject_type == "resource"}
    visible = Resource.objects.visible_to(caller).filter(id__in=subjects).values_list("id", flat=True)
    deleted = Resource.all_objects.in_bin_of(caller).filter(id__in=subjects).values_list("id", flat=True)
    seen = {str(number) for number in (*visible, *deleted)}
    return (event.id for event in events if event.subject_id in seen or _hands_over(event, caller))


def _hands_over(event: Event, caller: Caller) -> bool:
    return event.type == "resource.transferred" and caller.id in event.audience


@reader("file", scope="read:resource")
def readable_file_events(caller: Caller, events: Sequence[Event]) -> Iterator[UUID]:
    """Yield the events of readable files; to a file's owner, those of a deleted one too."""
    subjects = {event.subject_id for event in events if event.subject_type == "file"}
    seen = {
        str(number) for number in File.objects.visible_to(caller).filter(id__in=subjects).values_list("id", flat=True)
    }
    return (event.id for event in events if event.subject_id in seen or caller.id in event.audience)


@reader("comment", scope="read:resource")
def readable_comment_events(caller: Caller, events: Sequence[Event]) -> Iterator[UUID]:
    """Yield the events of comments on visible resources."""
    named = {str(event.payload.get("resource", "")) for event in events} - {""}
    visible = Resource.objects.visible_to(caller).filter(id__in=named).values_list("id", flat=True)
    seen = {str(number) for number in visible}
    return (event.id for event in events if event.payload.get("resource") in seen)


@reader("watch", scope="read:resource")
def own_watch_events(caller: Caller, events: Sequence[Event]) -> Iterator[UUID]:
    """Yield what the caller has begun to follow, and what no longer."""
    return (event.id for event in events if caller.id in event.audience)


@reader("saved_view", scope="read:resource")
def own_view_events(caller: Caller, events: Sequence[Event]) -> Iterator[UUID]:
    """Yield what became of the caller's saved views."""
    return (event.id for event in events if caller.id in event.audience)


@reader("share", scope="read:resource")
def own_share_events(caller: Caller, events: Sequence[Event]) -> Iterator[UUID]:
    """Yield what became of shares to the caller, by them, or of what is theirs."""
    return (event.id for event in events if caller.id in event.audience)
