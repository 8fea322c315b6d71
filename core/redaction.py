"""Taking a person out of the event log, which goes on proving that nothing else was changed (ADR 0015).

A redaction blanks the payload or the origin (address and user agent) of a row, and only that: the database keeps
the salted hash of what was taken (`event_redactions`), the salt goes, and an `audit.redacted` event
vouches for the whole set. `core.seal` accepts a changed row on this evidence and on nothing less.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias, TypeVar
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
_Part: TypeAlias = tuple[int, bool, bool]


@transaction.atomic
def redact_person(*, user_id: UUID, subjects: Iterable[str], addresses: Iterable[str], actor: Caller) -> int:
    """Take out of the log where the person acted from, and what it says of them and of `subjects`; return the rows.

    `subjects` are ids of things of theirs that are gone; `addresses` are looked for in what was logged of
    failed work. Takes part in the caller's transaction: either all of the person goes or nothing.
    """
    redaction = uuid4()
    blanked = sum(_blank(redaction, parts) for parts in _batches(_parts(user_id, subjects, addresses)))
    if blanked:
        facts = {"redaction": str(redaction), "events": blanked, "digest": _digest_of(redaction)}
        publish("audit.redacted", subject=None, actor=actor, data=facts)
    return blanked


def _parts(user_id: UUID, subjects: Iterable[str], addresses: Iterable[str]) -> Iterator[_Part]:
    """Yield the rows to redact: number, whether the payload goes, whether the origin goes."""
    about = {str(user_id), *subjects}
    acted = Event.objects.filter(actor=user_id)
    # Who acts on an account without being signed in is its owner, or says so.
    unknown = Event.objects.filter(actor=None, subject_id=str(user_id))
    for rows in (acted, unknown):
        yield from ((seq, False, True) for seq in _numbers(rows.exclude(ip=None, user_agent="")))
    for ids in _batches(sorted(about)):
        told = Event.objects.filter(subject_id__in=ids).exclude(_KEPT).exclude(payload__in=[{}, REDACTED])
        yield from ((seq, True, False) for seq in _numbers(told))
    letters = Event.objects.filter(type__startswith="dead_letter.").alias(text=Cast("payload", TextField()))
    for address in addresses:
        yield from ((seq, True, False) for seq in _numbers(letters.filter(text__icontains=address)))


def _numbers(rows: EventQuerySet) -> Iterator[int]:
    return iter(rows.values_list("seq", flat=True).iterator())


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _blank(redaction: UUID, parts: list[_Part]) -> int:
    numbers, payloads, origins = zip(*parts, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nook_redact_events(%s, %s::bigint[], %s::boolean[], %s::boolean[])",
            [redaction, list(numbers), list(payloads), list(origins)],
        )
        return int(cursor.fetchone()[0])


def _digest_of(redaction: UUID) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {DIGEST} FROM event_redactions WHERE redaction = %s",  # noqa: S608  # put together from constants
            [redaction],
        )
        return str(cursor.fetchone()[0])
