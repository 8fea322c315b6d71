"""The event log's two doors: `publish` in a service, `subscriber` for whoever must hear of it."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from django.db import connection, models, transaction

from core import context
from core.copying import array, cell, copy_lines, line_of
from core.event_types import patterns_of
from core.identifiers import uuid7_texts
from core.models import Event
from core.permissions import Caller
from core.plans import Insertion
from core.queue import enqueue_many

Handler = Callable[[Event], None]
Awaited = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who hears of which types of events."""

    name: str
    types: tuple[str, ...]
    handler: Handler
    awaited: Awaited | None = None

    def hears(self, type_: str) -> bool:
        """Return whether events of this type are for this subscriber, and somebody waits for them at this moment."""
        is_of_types = not _patterns(type_).isdisjoint(self.types)
        return is_of_types and (self.awaited is None or self.awaited(type_))


@lru_cache(maxsize=1024)
def _patterns(type_: str) -> frozenset[str]:
    return frozenset(patterns_of(type_))


SUBSCRIBERS: Final[dict[str, Subscriber]] = {}


def subscriber(name: str, *types: str, awaited: Awaited | None = None) -> Callable[[Handler], Handler]:
    """Register a handler for some types; `user.*` means the whole family, `*` every type.

    It runs in a worker, in the transaction that marks the event as handled by `name`: once for each
    event, however often it is delivered. `name` is stored; a renamed subscriber is a new one. `awaited`,
    asked in the transaction that publishes, spares the work where nobody waits for events of a type.
    """

    def register(handler: Handler) -> Handler:
        if name in SUBSCRIBERS:
            raise ValueError(f"There is a subscriber {name!r} already.")
        SUBSCRIBERS[name] = Subscriber(name, types, handler, awaited)
        return handler

    return register


def publish(
    type: str,
    *,
    subject: models.Model | None,
    actor: Caller,
    data: dict[str, Any] | None = None,
    audience: Iterable[UUID] = (),
) -> Event:
    """Write one event into the log, in the caller's transaction, and promise it to its subscribers.

    `data` of an update is `{"before": {…}, "after": {…}}` of the changed fields; never a secret.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An event is published in the transaction of what it tells about.")
    work = context.current()
    event = Event(
        type=type,
        actor=actor.impersonated_by or actor.id,
        on_behalf_of=actor.id if actor.impersonated_by else None,
        subject_type=(subject._meta.model_name or "") if subject else "",
        subject_id=str(subject.pk) if subject else "",
        payload=data or {},
        audience=list(audience),
        request_id=work.request_id,
        trace_id=work.trace_id,
        ip=work.ip,
        user_agent=work.user_agent[:512],
    )
    _insertion().run(event)
    listeners = [listener.name for listener in SUBSCRIBERS.values() if listener.hears(type)]
    if listeners:
        promise(event.id, listeners)
    return event


@lru_cache(maxsize=1)
def _insertion() -> Insertion:
    return Insertion(
        Event,
        *("id", "type", "actor", "on_behalf_of", "subject_type", "subject_id", "payload", "audience"),
        *("request_id", "trace_id", "ip", "user_agent"),
    )


@dataclass(slots=True)
class Telling:
    """What one of many events tells: its subject's id, its data as JSON, and whom."""

    subject_id: UUID | str
    data: str
    audience: tuple[UUID, ...] = ()

    @property
    def told(self) -> str:
        """Return the audience as PostgreSQL reads it."""
        return array([str(user_id) for user_id in self.audience]) if self.audience else "{}"


@dataclass(slots=True)
class Spelt:
    """An event as it will be copied into the log: spelt by whoever has the time, published when it is true."""

    id: str
    line: str


def publish_many(
    type: str, *, subject_type: str, actor: Caller, tellings: Sequence[Telling], queue: str = "bulk"
) -> None:
    """Write many events of one type as `publish` writes one: by COPY.

    Their subscribers work them off in the queue `bulk`, where they delay nobody who waits for an answer, unless another
    one is named; the empty string is that of the task.
    """
    publish_spelt(type, spell_many(type, subject_type=subject_type, actor=actor, tellings=tellings), queue=queue)


def spell_many(type: str, *, subject_type: str, actor: Caller, tellings: Sequence[Telling]) -> list[Spelt]:
    """Return the events for `publish_spelt`, in the context of the work at hand; this asks no database."""
    work = context.current()
    who = (actor.impersonated_by or actor.id, actor.id if actor.impersonated_by else None)
    # What all of them say is spelt once.
    about = line_of((type, *who, subject_type)).removesuffix("\n")
    where = line_of((work.request_id, work.trace_id, work.ip, work.user_agent[:512])).removesuffix("\n")
    ids = uuid7_texts(len(tellings))
    return [
        Spelt(id_, f"{id_}\t{about}\t{one.subject_id}\t{cell(one.data)}\t{one.told}\t{where}\t{salts}\n")
        for id_, one, salts in zip(ids, tellings, _salts(len(ids)), strict=True)
    ]


def publish_spelt(type: str, events: Sequence[Spelt], *, queue: str = "bulk") -> None:
    """Write events of the type that are spelt already, as `publish_many` does."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Events are published in the transaction of what they tell about.")
    copy_lines("events", _COPIED, [event.line for event in events])
    listeners = [listener.name for listener in SUBSCRIBERS.values() if listener.hears(type)]
    if listeners:
        calls = [{"event_id": event.id, "subscriber": name} for event in events for name in listeners]
        enqueue_many("core.tasks.handle_event", calls, queue=queue)


_COPIED: Final = (
    *("id", "type", "actor", "on_behalf_of", "subject_type", "subject_id", "payload", "audience"),
    *("request_id", "trace_id", "ip", "user_agent", "payload_salt", "origin_salt"),
)


def _salts(count: int) -> Iterator[str]:
    """Yield two random UUIDs for each row, as two cells of hexadecimal digits.

    PostgreSQL would make them as well, but a column with a volatile default keeps COPY from writing page by page.
    """
    digits = os.urandom(32 * count).hex()
    return (f"{digits[place : place + 32]}\t{digits[place + 32 : place + 64]}" for place in range(0, 64 * count, 64))


def promise(event_id: UUID, subscribers: Iterable[str]) -> None:
    """Queue the event for each of the named subscribers."""
    enqueue_many("core.tasks.handle_event", [{"event_id": event_id, "subscriber": name} for name in subscribers])


@transaction.atomic
def handle(*, event_id: UUID, subscriber: str) -> bool:
    """Let the subscriber handle the event unless it has; return whether it did now. LookupError for an unknown one."""
    listener = SUBSCRIBERS[subscriber]
    if not _mark_handled(event_id, subscriber):
        return False
    listener.handler(Event.objects.get(id=event_id))
    return True


def _mark_handled(event_id: UUID, subscriber: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO event_deliveries (event_id, subscriber) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [event_id, subscriber],
        )
        return bool(cursor.rowcount)
