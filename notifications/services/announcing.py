"""From an event to the people it is for: which kind tells of it, and with which words.

    @announces("share.created", "resource.shared")
    def tell_of_share(event: Event) -> Announcement | None:
        return Announcement({"giver": …, "resource": …, "access": …}, subject=("resource", …))

Those told are the event's audience, but for whoever caused it; or whom the announcement names. It is asked in a
worker, so of how things are by then, and each person is told once of one event, however often it is replayed.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from core.events import subscriber
from core.models import Event
from core.permissions import SYSTEM
from notifications.services.notifying import News, notify


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is told of one event; `to` replaces its audience."""

    context: dict[str, str]
    subject: tuple[str, str] = ("", "")
    to: Collection[UUID] | None = None
    only_in_app: bool = False


Announcer: TypeAlias = Callable[[Event], Announcement | None]


def announces(event_type: str, kind: str) -> Callable[[Announcer], Announcer]:
    """Register how events of this type are told as notifications of this kind; None tells nobody."""

    def register(announcer: Announcer) -> Announcer:
        @subscriber(f"announce:{kind}:{event_type}", event_type)
        def tell(event: Event) -> None:
            announcement = announcer(event)
            if announcement is not None:
                _tell(event, kind, announcement)

        return announcer

    return register


def _tell(event: Event, kind: str, announcement: Announcement) -> None:
    audience = set(event.audience) - {event.actor, event.on_behalf_of}
    news = News(
        kind,
        announcement.context,
        subject=announcement.subject,
        event_id=event.id,
        dedup_key=f"event:{event.id}:{kind}",
        only_in_app=announcement.only_in_app,
    )
    notify(news, to=audience if announcement.to is None else announcement.to, actor=SYSTEM)
