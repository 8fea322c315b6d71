"""All that somebody may read of a type, laid out once, so that every question stands over it as over the table.

Where one may read up to some thousand rows, each of them is looked at whatever is asked. Found by their ids they would
be looked up one by one a second time; by the reasons to read them they come as their index leads to them, and cost as
much among a million rows of others as among none. What is shared is read from the shares, where they keep all that is
asked for.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F
from django.db.models.expressions import Combinable

from core.plans import Fragment
from resources.models import Resource, Share, is_among
from resources.shapes import ListShape
from resources.share_values import data_in_shares, status_in_shares
from resources.walks import IN_SHARES, of_type, whole_in_parts

# The common table has the name of the table, which it hides from whoever asks; it is not looked for in itself.
_OVER: Final = 'WITH "resources" AS (TABLE laid_out) {question}'
_COLUMN: Final = re.compile(r'"resources"\."(\w+)"')


def over(question: Fragment) -> Fragment:
    """Return the question, asked of the rows that stand in `laid_out` and not of the table."""
    return Fragment.filled(_OVER, {"question": question})


def columns_for(questions: Sequence[Fragment]) -> list[str]:
    """Return the columns of resources that the questions ask for."""
    return sorted({name for question in questions for name in _COLUMN.findall(question.text)})


_OF_SHARES: Final[dict[str, Callable[[int], Combinable]]] = {
    "id": lambda since: F(IN_SHARES["pk"]),
    "created_at": lambda since: F(IN_SHARES["created_at"]),
    "owner_id": lambda since: F(IN_SHARES["owner_id"]),
    "visibility": lambda since: F(IN_SHARES["visibility"]),
    "type": lambda since: F(IN_SHARES["type_id"]),
    "status": lambda since: status_in_shares(),
    "data": lambda since: data_in_shares(since=since),
}
"""The columns of resources that shares have too, given the plan that they have them by."""


def rows_of(listed: ListShape, columns: Sequence[str]) -> Fragment:
    """Return these columns of all that the asker of the list may read of its type."""
    fields = {field.column: field.attname for field in Resource._meta.concrete_fields}
    of_resources = [F(fields[column]) for column in columns]
    of_shares = [_OF_SHARES[column](listed.kept_since) for column in columns if column in _OF_SHARES]
    are_kept = bool(listed.kept_since) and len(of_shares) == len(columns)
    found = []
    for part in whole_in_parts(listed.shape.asker):
        rows = of_type(part, listed.type_key)
        if rows.model is Share and not are_kept:
            rows = Resource.all_objects.filter(is_among(ArraySubquery(rows.values(IN_SHARES["pk"]))))
        found.append(rows.order_by().values_list(*(of_shares if rows.model is Share else of_resources)))
    return Fragment.united([Fragment.of(rows) for rows in found])
