"""All that somebody may read of a type, laid out once, so that every question stands over it as over the table.

Where one may read up to some thousand rows, each of them is looked at whatever is asked. Found by their ids they would
be looked up one by one a second time; by the reasons to read them they come as their index leads to them, and cost as
much among a million rows of others as among none.
"""

import re
from collections.abc import Sequence
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery

from core.plans import Fragment
from resources.models import Resource, is_among
from resources.shapes import ListShape
from resources.walks import Rows, of_type, whole_in_parts

# The common table has the name of the table, which it hides from whoever asks; it is not looked for in itself.
_OVER: Final = 'WITH "resources" AS (TABLE laid_out) {question}'
_COLUMN: Final = re.compile(r'"resources"\."(\w+)"')


def over(question: Fragment) -> Fragment:
    """Return the question, asked of the rows that stand in `laid_out` and not of the table."""
    return Fragment.filled(_OVER, {"question": question})


def columns_for(questions: Sequence[Fragment]) -> list[str]:
    """Return the columns of resources that the questions ask for."""
    return sorted({name for question in questions for name in _COLUMN.findall(question.text)})


def rows_of(listed: ListShape, columns: Sequence[str]) -> Fragment:
    """Return these columns of all that the asker of the list may read of its type."""
    fields = {field.column: field.attname for field in Resource._meta.concrete_fields}
    names = [fields[column] for column in columns]
    parts = [_resources(of_type(part, listed.type_key)) for part in whole_in_parts(listed.shape.asker)]
    return Fragment.united([Fragment.of(part.order_by().values_list(*names)) for part in parts])


def _resources(part: Rows) -> Rows:
    if part.model is Resource:
        return part
    rows: Rows = Resource.all_objects.filter(is_among(ArraySubquery(part.values("resource_id"))))
    return rows
