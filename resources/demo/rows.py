"""Rows of the demo world as lines of PostgreSQL's COPY text format.

A million rows are made here, so a line is written by one f-string: no model, no JSON encoder. All text comes
from `words`, which holds nothing that COPY or JSON would have to escape.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from resources.demo.words import COMPANY_FIRST, COMPANY_SECOND, KINDS, SUBJECTS, TAGS

COLUMNS: Final = (
    "id, created_at, updated_at, type, owner_id, name, description, visibility, data, tags, external_id, "
    "deleted_at, deleted_by_id, delete_op"
)
_SPAN: Final = timedelta(days=730)
_VISIBILITIES: Final = ("private",) * 11 + ("internal",) * 7 + ("public",) * 2
_ABSENT: Final = "\\N"


def resource_lines(amount: int, owners: Sequence[UUID], *, first_number: int, seed: int) -> Iterator[str]:
    """Yield `amount` resources, oldest first, over the last two years; numbers go on from `first_number`."""
    chance = random.Random(seed)  # noqa: S311  # a demo, not a secret
    owner_ids = [str(owner) for owner in owners]
    now = datetime.now(UTC)
    step = _SPAN / max(amount, 1)
    for place in range(amount):
        yield _line(chance, first_number + place, chance.choice(owner_ids), now - _SPAN + step * (place + 1))


def _line(chance: random.Random, number: int, owner: str, created_at: datetime) -> str:
    kind, sentence = chance.choice(KINDS)
    subject = chance.choice(SUBJECTS)
    company = f"{chance.choice(COMPANY_FIRST)} {chance.choice(COMPANY_SECOND)}"
    tags = ",".join(chance.sample(TAGS, chance.randrange(4)))
    data = (
        f'{{"number": {number}, "customer": "{company}", "price": {chance.randrange(1000, 250000) / 100}, '
        f'"quantity": {chance.randrange(1, 40)}, "done": {"true" if chance.random() < 0.6 else "false"}, '
        f'"address": {{"city": "{chance.choice(COMPANY_FIRST)}ville", "zip": "{chance.randrange(10000, 99999)}"}}}}'
    )
    at = created_at.isoformat()
    external_id = f"demo-{number}" if number % 10 == 0 else _ABSENT
    bin_ = (at, owner, _uuid7(created_at, chance)) if number % 100 == 99 else (_ABSENT, _ABSENT, _ABSENT)
    return (
        f"{_uuid7(created_at, chance)}\t{at}\t{at}\titem\t{owner}\t{kind} {number} for {company}: {subject}\t"
        f"{sentence} About the {subject} of {company}.\t{chance.choice(_VISIBILITIES)}\t{data}\t{{{tags}}}\t"
        f"{external_id}\t{bin_[0]}\t{bin_[1]}\t{bin_[2]}\n"
    )


def _uuid7(at: datetime, chance: random.Random) -> str:
    """Return the UUIDv7 of a moment in the past, so that ids are in the order of their times here too."""
    head, tail = f"{int(at.timestamp() * 1000):012x}", f"{chance.getrandbits(74):019x}"
    variant = "89ab"[int(tail[3], 16) % 4]
    return f"{head[:8]}-{head[8:]}-7{tail[:3]}-{variant}{tail[4:7]}-{tail[7:19]}"
