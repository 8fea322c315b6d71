"""Telling people: a row for each of them in the inbox, and a message on each channel that they want, in one statement.

However many people there are, what decides is SQL: who is there, what they chose, what they were told before.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from core.events import publish
from core.permissions import SYSTEM, Caller
from core.queue import enqueue_many
from core.ratelimit import take
from notifications.channels import CHANNELS, Channel
from notifications.kinds import Kind, kind_of
from notifications.models import BULK_LANE, HELD, IN_APP, OFF, OWN_LANE, QUEUED, NotificationPreferences
from notifications.readers import readers_among
from notifications.services.sending import mail_host
from notifications.waiting import Wait, Wishes, end_of_quiet_hours, wait_for

# Everybody of `people` who wants to be told on some channel; those told before under this key are left alone.
_TELL: Final = """
WITH people (id, name_of_locale{addresses}) AS MATERIALIZED ({people}),
wishes AS MATERIALIZED (
    SELECT people.*, {wanted}
    FROM people LEFT JOIN notification_preferences AS chosen ON chosen.user_id = people.id
),
told AS (
    INSERT INTO notifications (user_id, kind, context, subject_type, subject_id, event_id, dedup_key, is_in_inbox)
    SELECT id, %(kind)s, %(context)s::jsonb, %(subject_type)s, %(subject_id)s, %(event_id)s::uuid, %(dedup_key)s,
           in_app_wanted
    FROM wishes WHERE {any_wanted}
    ON CONFLICT (user_id, dedup_key) DO NOTHING
    RETURNING id, user_id, is_in_inbox
),
waits AS (
    SELECT * FROM unnest(%(waiting)s::uuid[], %(wait_states)s::text[], %(wait_until)s::timestamptz[],
                         %(quiet_until)s::timestamptz[]) AS waits (user_id, state, until, quiet_until)
){messages}
SELECT (SELECT count(*) FROM told),
       (SELECT array_agg(user_id) FROM told WHERE is_in_inbox AND NOT %(is_bulk)s),
       {at_once}
"""
_MESSAGES: Final = """,
{channel}_messages AS (
    INSERT INTO messages (id, kind, channel, recipient_id, address, locale, lane, state, not_before, message_id,
                          notification_id)
    SELECT made.id, %(kind)s, '{channel}', wishes.id, wishes.{address}, wishes.name_of_locale, %(lane)s,
           {waits},
           '<' || made.id || '@' || %(host)s || '>', told.id
    FROM told JOIN wishes ON wishes.id = told.user_id
    LEFT JOIN waits ON waits.user_id = told.user_id
    CROSS JOIN LATERAL (SELECT nook_uuid7() AS id, told.id AS of_row) AS made
    WHERE {channel}_wanted AND wishes.{address} <> ''
    RETURNING id, state
)"""
# Mails go together in a digest; on any other channel a message at most waits for the end of quiet hours.
_MAIL_WAITS: Final = "coalesce(waits.state, %(state)s), coalesce(waits.until, %(not_before)s::timestamptz)"
_OTHERS_WAIT: Final = f"""CASE WHEN waits.quiet_until IS NULL THEN %(state)s ELSE '{HELD}' END,
           coalesce(waits.quiet_until, %(not_before)s::timestamptz)"""
_WANTED: Final = "coalesce((chosen.choices -> %(kind)s ->> '{channel}')::boolean, {default}) AS {channel}_wanted"


@dataclass(frozen=True, slots=True)
class News:
    """What is told: the same to everybody. Under one `dedup_key` each person is told once, however often it is tried.

    `subject` is what it is about, as (type, id): who may not read that is not told.
    """

    kind: str
    context: Mapping[str, str] = field(default_factory=dict)
    subject: tuple[str, str] = ("", "")
    event_id: UUID | None = None
    dedup_key: str = ""
    only_in_app: bool = False
    """Whether nothing leaves the house: for what somebody could else fill mailboxes with."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it."""

    people: int
    messages: int


@dataclass(frozen=True, slots=True)
class Waits:
    """How somebody's mail waits, and until when any other message does."""

    mail: Wait | None
    quiet_until: datetime | None


@transaction.atomic
def notify(news: News, *, to: Iterable[UUID], actor: Caller = SYSTEM) -> Told:
    """Tell these people, in the caller's transaction: those of them who can be told, and in the way they want.

    Raises `UnknownKind`, and `ValueError` for variables that the kind does not have or lacks.
    """
    kind = kind_of(news.kind)
    kind.refuse_wrong_variables(frozenset(news.context))
    readers = readers_among(*news.subject, to)
    if not readers:
        return Told(0, 0)
    people, inboxes, messages = _tell(news, kind, get_user_model()._default_manager.filter(pk__in=readers))
    calls = [{"message_id": str(message)} for message in messages]
    enqueue_many("notifications.tasks.deliver", calls, queue=kind.queue)
    if inboxes:
        publish("notification.created", subject=None, actor=actor, data={"kind": kind.code}, audience=inboxes)
    return Told(people, len(messages))


@transaction.atomic
def notify_sparingly(news: News, *, to: Iterable[UUID], about: str) -> None:
    """Tell these people as `notify` does, but mail nobody who had too many mails about this lately."""
    people = set(to)
    mailed = {user for user in people if take("mail", f"{about}:{user}").allowed}
    notify(news, to=mailed)
    notify(replace(news, only_in_app=True), to=people - mailed)


@transaction.atomic
def notify_many(news: News, *, to: QuerySet[Any]) -> int:
    """Tell a chunk of very many people, in the caller's transaction; return how many were told just now.

    Their messages leave bit by bit (`release_messages`), in the lane of what goes to many.
    """
    people, _, _ = _tell(news, kind_of(news.kind), to, is_bulk=True)
    return people


def _tell(news: News, kind: Kind, users: QuerySet[Any], *, is_bulk: bool = False) -> tuple[int, list[UUID], list[UUID]]:
    channels = [] if news.only_in_app else _channels_of(kind)
    people, values = _people(users, channels, by_many=is_bulk)
    waits = _waits(kind, users) if channels else {}
    statement = _statement(kind, channels, people)
    parameters: dict[str, Any] = {
        **values,
        "kind": kind.code,
        "context": orjson.dumps(dict(news.context)).decode(),
        "subject_type": news.subject[0],
        "subject_id": news.subject[1],
        "event_id": news.event_id,
        "dedup_key": news.dedup_key or str(uuid4()),
        "waiting": list(waits),
        "wait_states": [wait.mail.state for wait in waits.values() if wait.mail],
        "wait_until": [wait.mail.until for wait in waits.values() if wait.mail],
        "quiet_until": [wait.quiet_until for wait in waits.values()],
        "is_bulk": is_bulk,
        "lane": BULK_LANE if is_bulk else OWN_LANE,
        "state": HELD if is_bulk else QUEUED,
        "not_before": timezone.now() if is_bulk else None,
        "host": mail_host(),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        told, inboxes, messages = cursor.fetchone()
    return told, inboxes or [], messages or []


def _channels_of(kind: Kind) -> list[Channel]:
    """Return the ways out on which the kind can be told."""
    return [CHANNELS[code] for code in kind.all_channels if code in CHANNELS]


def _statement(kind: Kind, channels: Collection[Channel], people: str) -> str:
    """Return the statement; it is put together from codes and columns of ours alone."""
    codes = [channel.code for channel in channels]
    defaults = {code: code in kind.channels for code in (IN_APP, *codes)}
    wanted = {
        code: _WANTED.format(channel=code, default=default)
        if kind.may_be_switched_off
        else f"{default} AS {code}_wanted"
        for code, default in defaults.items()
    }
    return _TELL.format(
        addresses="".join(f", {code}_address" for code in codes),
        people=people,
        wanted=", ".join(wanted.values()),
        any_wanted=" OR ".join(f"{code}_wanted" for code in wanted),
        messages="".join(
            _MESSAGES.format(
                channel=channel.code,
                address=f"{channel.code}_address",
                waits=_MAIL_WAITS if channel.has_parts else _OTHERS_WAIT,
            )
            for channel in channels
        ),
        at_once=_at_once(codes),
    )


def _at_once(codes: Collection[str]) -> str:
    if not codes:
        return "NULL::uuid[]"
    every = " UNION ALL ".join(f"SELECT id, state FROM {code}_messages" for code in codes)  # noqa: S608  # codes of ours
    return f"(SELECT array_agg(id) FROM ({every}) AS made WHERE state = '{QUEUED}')"  # noqa: S608  # as above


def _people(users: QuerySet[Any], channels: Collection[Channel], *, by_many: bool) -> tuple[str, dict[str, Any]]:
    """Return the SELECT of those users who are there, with where each channel reaches them."""
    reached = {f"{channel.code}_reached": channel.reached_at(by_many=by_many) for channel in channels}
    rows = users.filter(is_active=True).order_by().annotate(**reached).values_list("pk", "locale", *reached)
    sql, values = rows.query.sql_with_params()
    names = [f"person_{number}" for number in range(len(values))]
    slots = iter(names)
    named = re.sub(r"(?<!%)%s", lambda _: f"%({next(slots)})s", sql)
    return named, dict(zip(names, values, strict=True))


def _waits(kind: Kind, users: QuerySet[Any]) -> dict[UUID, Waits]:
    """Return how the messages of those people wait who have quiet hours or a digest."""
    if not kind.may_wait:
        return {}
    has_wishes = Q(quiet_from__isnull=False) | ~Q(digest=OFF)
    rows = NotificationPreferences.objects.filter(has_wishes, user__in=users.order_by().values("pk")).values_list(
        "user_id", "user__time_zone", "quiet_from", "quiet_until", "quiet_time_zone", "digest"
    )
    now = timezone.now()
    known: dict[Wishes, Waits] = {}
    waits = {
        user_id: _wait(Wishes(zone, begin, end, quiet_zone, digest), now, known)
        for user_id, zone, begin, end, quiet_zone, digest in rows
    }
    return {user_id: wait for user_id, wait in waits.items() if wait.mail is not None}


def _wait(wishes: Wishes, now: datetime, known: dict[Wishes, Waits]) -> Waits:
    """Return the waits; worked out once for all who have the same wishes."""
    if wishes not in known:
        known[wishes] = Waits(wait_for(wishes, now), end_of_quiet_hours(wishes, now))
    return known[wishes]
