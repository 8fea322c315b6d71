"""Taking a person out of the event log, which goes on proving that nothing else was changed (ADR 0015).

A redaction blanks the payload or the origin (address and user agent) of a row, and only that: the database keeps
the salted hash of what was taken (`event_redactions`), the salt goes, and an `audit.redacted` event
vouches for the whole set. `core.seal` accepts a changed row on this evidence and on nothing less.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from core.events import publish
from core.models import Event, EventQuerySet
from core.permissions import Caller
from core.seal import DIGEST

BATCH: Final = 1000
REDACTED: Final = {"redacted": True}

# What proves something, and names nobody.
_KEPT: Final = Q(type__startswith="audit.") | Q(type="user.anonymised")
_Item = TypeVar("_Item")


@transaction.atomic
def redact_person(*, user_id: UUID, subjects: Iterable[str], addresses: Iterable[str], actor: Caller) -> int:
    """Take out of the log where the person acted from, and what it says of them and of `subjects`; return the rows.

    `subjects` are ids of things of theirs that are gone; `addresses` are looked for in what was logged of
    failed work. Takes part in the caller's transaction: either all of the person goes or nothing.
    """
    payloads = set(_payloads(user_id, subjects, addresses))
    origins = set(_origins(user_id))
    redaction = uuid4()
    numbers = sorted(payloads | origins)
    # Each row once: every change of a row writes it anew into each index.
    blanked = sum(_blank(redaction, batch, payloads, origins) for batch in _batches(numbers))
    if blanked:
        facts = {"redaction": str(redaction), "events": blanked, "digest": _digest_of(redaction)}
        publish("audit.redacted", subject=None, actor=actor, data=facts)
    return blanked


def _origins(user_id: UUID) -> Iterator[int]:
    """Yield the rows whose origin goes."""
    acted = Event.objects.filter(actor=user_id)
    # Who acts on an account without being signed in is its owner, or says so.
    unknown = Event.objects.filter(actor=None, subject_id=str(user_id))
    for rows in (acted, unknown):
        yield from _numbers(rows.exclude(ip=None, user_agent=""))


def _payloads(user_id: UUID, subjects: Iterable[str], addresses: Iterable[str]) -> Iterator[int]:
    """Yield the rows whose payload goes."""
    for ids in _batches(sorted({str(user_id), *subjects})):
        told = Event.objects.filter(subject_id__in=ids).exclude(_KEPT)
        yield from _numbers(told.exclude(payload__in=[{}, REDACTED]))
    letters = Event.objects.filter(type__startswith="dead_letter.").alias(text=Cast("payload", TextField()))
    for address in addresses:
        yield from _numbers(letters.filter(text__icontains=address))


def _numbers(rows: EventQuerySet) -> Iterator[int]:
    return iter(rows.values_list("seq", flat=True).iterator())


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _blank(redaction: UUID, numbers: list[int], payloads: set[int], origins: set[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nook_redact_events(%s, %s::bigint[], %s::boolean[], %s::boolean[])",
            [redaction, numbers, [seq in payloads for seq in numbers], [seq in origins for seq in numbers]],
        )
        return int(cursor.fetchone()[0])


def _digest_of(redaction: UUID) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {DIGEST} FROM event_redactions WHERE redaction = %s",  # noqa: S608  # put together from constants
            [redaction],
        )
        return str(cursor.fetchone()[0])
