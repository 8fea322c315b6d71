"""The live rows that a changed schema or workflow would refuse: found by reading each, some 200,000 a second.

Rows come by COPY, as text that this process splits and parses: a third of the time that a cursor takes, and nothing is
held. A statement reads `_CHUNK` rows, so that none comes near `statement_timeout`, whatever the size of the type.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from core.errors import Conflict
from resources.keywords.sealing import may_hold_sealed, opened
from resources.schemas import Schema
from resources.schemas.workflows import states_of

PATIENCE: Final = 20.0
"""How many seconds a request judges rows before it gives up: proxies do after 30."""

_CHUNK: Final = 50_000
_OLDEST: Final = """
COPY (SELECT id, created_at, status, data FROM resources
      WHERE type = %(type)s AND deleted_at IS NULL AND (created_at, id) > (%(created_at)s::timestamptz, %(id)s::uuid)
      ORDER BY created_at, id LIMIT %(limit)s) TO STDOUT
"""
_NEWEST: Final = """
COPY (SELECT id, created_at, status, data FROM resources
      WHERE type = %(type)s AND deleted_at IS NULL
      ORDER BY created_at DESC, id DESC LIMIT %(limit)s) TO STDOUT
"""
_BEFORE_ALL: Final = ("-infinity", "00000000-0000-0000-0000-000000000000")

Refusal = Callable[[str, dict[str, Any]], bool]
"""Whether a row with this status and this data would be refused."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How many of the newest rows were judged, and how many of them would be refused."""

    judged: int
    refused: int


class TooManyToJudge(Conflict):
    """There are more rows than a request has time for."""

    message = (
        "There are too many resources of this type to judge each of them within a request. "
        "`manage.py config_apply` takes the time that it takes; `force` changes the type without judging them."
    )


def misfits(key: str, is_refused: Refusal, *, patience: float | None = None, chunk: int = _CHUNK) -> Iterator[UUID]:
    """Yield the ids of the live rows of the type that `is_refused`, oldest first, by `chunk` of them a statement.

    Raises `TooManyToJudge` when it takes more than `patience` seconds.
    """
    end = None if patience is None else monotonic() + patience
    place = _BEFORE_ALL
    is_full = True
    while is_full:
        if end is not None and monotonic() > end:
            raise TooManyToJudge
        number, refused, place = _judge(_OLDEST, key, is_refused, place, chunk)
        is_full = number == chunk
        yield from refused


def refused_of_newest(key: str, is_refused: Refusal, *, at_most: int) -> Sample:
    """Judge the newest live rows of the type, `at_most` so many."""
    number, refused, _ = _judge(_NEWEST, key, is_refused, _BEFORE_ALL, at_most)
    return Sample(number, len(refused))


def refusal_by(changes: Mapping[str, Any]) -> Refusal:
    """Return the test of a row by the schema and the workflow that are new."""
    schema = Schema(changes["schema"]) if "schema" in changes else None
    states = states_of(changes["workflow"]) if "workflow" in changes else None
    return lambda status, data: (
        (states is not None and status not in states) or (schema is not None and not schema.accepts(data))
    )


def _judge(
    statement: str, key: str, is_refused: Refusal, place: tuple[str, str], limit: int
) -> tuple[int, list[UUID], tuple[str, str]]:
    """Return how many rows there were from `place` on, which of them are refused, and the place of the last."""
    number = 0
    refused: list[UUID] = []
    given = {"type": key, "created_at": place[0], "id": place[1], "limit": limit}
    with connection.cursor() as cursor, cursor.copy(statement, given) as copy:
        for line in _lines(copy):
            number += 1
            row_id, created_at, status, data = line.split(b"\t", 3)
            place = (created_at.decode(), row_id.decode())
            parsed = _parsed(data)
            if is_refused(status.decode(), opened(parsed, place[1]) if may_hold_sealed(data) else parsed):
                refused.append(UUID(place[1]))
    return number, refused, place


def _lines(copy: Any) -> Iterator[bytes]:
    """Yield each row; libpq hands rows over whole, but several of them may come at once."""
    for block in copy:
        yield from bytes(block).splitlines()


def _parsed(data: bytes) -> dict[str, Any]:
    # The only character of JSON that COPY's text format writes otherwise.
    parsed: dict[str, Any] = orjson.loads(data.replace(b"\\\\", b"\\") if b"\\" in data else data)
    return parsed
