"""UUIDv7: made in Python or by the database, ids come in the order in which they were made."""

import time
from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest
from django.db import connection

from core.identifiers import uuid7, uuid7_texts

_MANY = 5_000
_TICKS_A_SECOND = 4096 * 1000


def ticks_of(one: UUID) -> int:
    """Return the time that an id bears, in 4096ths of a millisecond."""
    return (one.int >> 80) << 12 | (one.int >> 64 & 0xFFF)


def made_by_one_statement(count: int) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nook_uuid7() FROM generate_series(1, %s)", [count])
        return [row[0] for row in cursor.fetchall()]


def test_ids_made_here_rise_without_a_tie() -> None:
    one_by_one = [uuid7() for _ in range(_MANY)]
    together = [UUID(text) for text in uuid7_texts(_MANY)]

    assert all(earlier < later for earlier, later in pairwise([*one_by_one, *together]))


@pytest.mark.django_db
def test_ids_of_one_statement_rise_as_far_as_its_clock_tells() -> None:
    made = made_by_one_statement(_MANY)

    ticks = [ticks_of(one) for one in made]
    assert ticks == sorted(ticks)
    # Many to a millisecond, and few to a microsecond.
    assert len({tick // 4096 for tick in ticks}) < _MANY / 10 < len(set(ticks))
    assert len(set(made)) == _MANY


@pytest.mark.django_db
@pytest.mark.parametrize("makes", ["here", "the database"])
def test_an_id_bears_the_time_its_version_and_its_variant(makes: str) -> None:
    before = time.time()
    made = [uuid7() for _ in range(20)] if makes == "here" else made_by_one_statement(20)
    after = time.time()

    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
    assert all(before - 0.001 < ticks_of(one) / _TICKS_A_SECOND < after + 0.001 for one in made)
