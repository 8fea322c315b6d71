"""One effect per `Idempotency-Key`, however often the request is sent, side by side or after a crash.

The key's row is written in the same transaction as the work: either both are there or neither. Only answers
of success are kept; a refusal or a fault leaves no row, so the key serves again. Two requests
at once are told apart by an advisory lock that ends with the transaction, so nobody waits.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from core.errors import ApplicationError, Conflict, IdempotencyKeyReused, ValidationFailed
from core.models import IdempotencyKey

LIFETIME: Final = timedelta(hours=24)
_FORM: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is kept: enough to give it again, byte for byte."""

    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a key stands for: whose it is, and a digest of the request it was sent with."""

    owner: str
    key: str
    fingerprint: bytes


class Claim:
    """A key held for the work at hand; `replay` is set when the work was done before."""

    def __init__(self, row: IdempotencyKey, replay: Answer | None = None) -> None:
        self._row = row
        self.replay = replay

    def keep(self, answer: Answer) -> None:
        """Store the answer beside the work; its column is encrypted, for it may hold tokens."""
        self._row.answer = asdict(answer)
        self._row.save(update_fields=["answer"])


def checked_key(key: str) -> str:
    """Return the key, or raise `ValidationFailed` when it has another form."""
    if not _FORM.fullmatch(key):
        message = "Send 1 to 128 characters of A-Z a-z 0-9 . _ : -"
        raise ValidationFailed.of("Idempotency-Key", "invalid", message)
    return key


def fingerprint_of(*parts: bytes) -> bytes:
    """Return the digest of a request's method, path and body."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


@contextmanager
def claimed(request: Request) -> Iterator[Claim]:
    """Hold the key for the block, which is one transaction with it.

    Raises `Conflict` while another request with the key is running and `IdempotencyKeyReused` when the key
    was used for something else. An `ApplicationError` from the block gives the key back but
    keeps what the block itself has committed (a refusal may end a session); anything else undoes all.
    """
    refusal: ApplicationError | None = None
    with transaction.atomic():
        claim = _claim(request)
        try:
            yield claim
        except ApplicationError as error:
            if connection.needs_rollback:
                raise
            claim._row.delete()
            refusal = error
    if refusal is not None:
        raise refusal


def _claim(request: Request) -> Claim:
    _lock_or_refuse(request)
    now = timezone.now()
    row = IdempotencyKey.objects.filter(owner=request.owner, key=request.key).first()
    if row is not None and row.expires_at > now:
        if bytes(row.fingerprint) != request.fingerprint:
            raise IdempotencyKeyReused
        return Claim(row, Answer(**row.answer))
    if row is not None:
        row.delete()
    created = IdempotencyKey.objects.create(
        owner=request.owner, key=request.key, fingerprint=request.fingerprint, expires_at=now + LIFETIME
    )
    return Claim(created)


def _lock_or_refuse(request: Request) -> None:
    number = hashlib.sha256(f"{request.owner}\n{request.key}".encode()).digest()[:8]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(number, "big", signed=True)])
        row: Any = cursor.fetchone()
    if not row[0]:
        raise Conflict("A request with this Idempotency-Key is still running.")
