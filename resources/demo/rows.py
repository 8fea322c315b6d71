"""Rows of the demo world as lines of PostgreSQL's COPY text format.

A million rows are made here, so a line is written by one f-string: no model, no JSON encoder. All text comes
from `words`, which holds nothing that COPY or JSON would have to escape.
"""

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from resources.demo.types import DOCUMENT, INVOICE, PROJECT
from resources.demo.words import COMPANY_FIRST, COMPANY_SECOND, KINDS, SUBJECTS, TAGS
from resources.models import ITEM

COLUMNS: Final = (
    "id, created_at, updated_at, type, owner_id, name, description, status, visibility, data, tags, external_id, "
    "schema_version, deleted_at, deleted_by_id, delete_op"
)
_SPAN: Final = timedelta(days=730)
_TERM: Final = timedelta(days=30)
_VISIBILITIES: Final = ("private",) * 11 + ("internal",) * 7 + ("public",) * 2
_ABSENT: Final = "\\N"

_TYPE_OF: Final = {
    "Invoice": INVOICE,
    "Project": PROJECT,
    "Contract": DOCUMENT,
    "Meeting notes": DOCUMENT,
    "Offer": DOCUMENT,
}
"""Which kind of thing is of which type; all others are items."""

_DOCUMENT_KINDS: Final = {"Contract": "contract", "Meeting notes": "minutes", "Offer": "offer"}
_STATES: Final = {
    INVOICE: ("draft", "sent", "sent", "paid", "paid", "paid"),
    PROJECT: ("planned", "active", "active", "done", "done", "cancelled"),
    DOCUMENT: ("draft", "review", "published", "published"),
}
_CURRENCIES: Final = ("EUR", "EUR", "EUR", "GBP", "USD")
_RECENT: Final = 500
"""How many of the latest projects invoices are for."""


def resource_lines(
    amount: int, owners: Sequence[UUID], *, types: Mapping[str, int], first_number: int, seed: int
) -> Iterator[str]:
    """Yield `amount` resources, oldest first, over the last two years; numbers go on from `first_number`.

    `types` are those there are, each with the version of its schema; what is of none of them is an item.
    """
    chance = random.Random(seed)  # noqa: S311  # a demo, not a secret
    owner_ids = [str(owner) for owner in owners]
    now = datetime.now(UTC)
    step = _SPAN / max(amount, 1)
    projects: deque[str] = deque(maxlen=_RECENT)
    for place in range(amount):
        at = now - _SPAN + step * (place + 1)
        yield _line(chance, first_number + place, chance.choice(owner_ids), at, types, projects)


def _line(
    chance: random.Random, number: int, owner: str, created_at: datetime, types: Mapping[str, int], projects: deque[str]
) -> str:
    kind, sentence = chance.choice(KINDS)
    type_key = _TYPE_OF.get(kind, ITEM) if _TYPE_OF.get(kind) in types else ITEM
    subject = chance.choice(SUBJECTS)
    company = f"{chance.choice(COMPANY_FIRST)} {chance.choice(COMPANY_SECOND)}"
    tags = ",".join(chance.sample(TAGS, chance.randrange(4)))
    status = chance.choice(_STATES[type_key]) if type_key in _STATES else "active"
    data = _data(chance, type_key, kind, number, company, subject, created_at, projects)
    at = created_at.isoformat()
    external_id = f"demo-{number}" if number % 10 == 0 else _ABSENT
    is_binned = number % 100 == 99
    bin_ = (at, owner, _uuid7(created_at, chance)) if is_binned else (_ABSENT, _ABSENT, _ABSENT)
    row_id = _uuid7(created_at, chance)
    if type_key == PROJECT and not is_binned:
        projects.append(row_id)
    return (
        f"{row_id}\t{at}\t{at}\t{type_key}\t{owner}\t{kind} {number} for {company}: {subject}\t"
        f"{sentence} About the {subject} of {company}.\t{status}\t{chance.choice(_VISIBILITIES)}\t{data}\t{{{tags}}}\t"
        f"{external_id}\t{types.get(type_key, 1)}\t{bin_[0]}\t{bin_[1]}\t{bin_[2]}\n"
    )


def _data(
    chance: random.Random,
    type_key: str,
    kind: str,
    number: int,
    company: str,
    subject: str,
    created_at: datetime,
    projects: deque[str],
) -> str:
    """Return the data as JSON."""
    price, quantity = chance.randrange(1000, 250000) / 100, chance.randrange(1, 40)
    city, zip_code = f"{chance.choice(COMPANY_FIRST)}ville", chance.randrange(10000, 99999)
    if type_key == INVOICE:
        project = f'"project": "{chance.choice(projects)}", ' if projects else ""
        return (
            f'{{"number": "{created_at.year}-{number:07d}", "total": {round(price * quantity, 2)}, '
            f'"currency": "{chance.choice(_CURRENCIES)}", "customer": "{company}", {project}'
            f'"due_on": "{created_at + _TERM:%Y-%m-%d}", '
            f'"lines": [{{"text": "{subject}", "quantity": {quantity}, "price": {price}}}]}}'
        )
    if type_key == PROJECT:
        return (
            f'{{"customer": "{company}", "budget": {price * 10:.2f}, "starts_on": "{created_at:%Y-%m-%d}", '
            f'"ends_on": "{created_at + _TERM * quantity:%Y-%m-%d}", '
            f'"address": {{"city": "{city}", "zip": "{zip_code}"}}}}'
        )
    if type_key == DOCUMENT:
        return (
            f'{{"kind": "{_DOCUMENT_KINDS[kind]}", "summary": "On the {subject} of {company}.", '
            f'"pages": {quantity}, "signed": {"true" if price < 1500 else "false"}}}'
        )
    return (
        f'{{"number": {number}, "customer": "{company}", "price": {price}, '
        f'"quantity": {quantity}, "done": {"true" if chance.random() < 0.6 else "false"}, '
        f'"address": {{"city": "{city}", "zip": "{zip_code}"}}}}'
    )


def _uuid7(at: datetime, chance: random.Random) -> str:
    """Return the UUIDv7 of a moment in the past, so that ids are in the order of their times here too."""
    head, tail = f"{int(at.timestamp() * 1000):012x}", f"{chance.getrandbits(74):019x}"
    variant = "89ab"[int(tail[3], 16) % 4]
    return f"{head[:8]}-{head[8:]}-7{tail[:3]}-{variant}{tail[4:7]}-{tail[7:19]}"
