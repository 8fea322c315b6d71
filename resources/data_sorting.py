"""Lists sorted by a value of `data`: first the rows that have it, in its order, then those that lack it.

One index (value, id) serves both directions: each part is one walk along it, and PostgreSQL begins the second only when
the first did not fill the page.
"""

from enum import Enum
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, QuerySet, TextField, UUIDField
from django.db.models.expressions import Combinable, OrderBy
from django.db.models.functions import Cast
from django.db.models.sql.compiler import SQLCompiler

from core.plans import Slot
from resources.data_values import FIELDS, is_null, measure_of, value_of
from resources.schemas.values import Property


class Edge(Enum):
    """Where a page begins: at the start, after a row with a value, or after one that lacks it."""

    START = "start"
    VALUE = "value"
    PAST_VALUES = "past values"


def parts(
    by: Property,
    rows: QuerySet[Any, Any],
    edge: Edge = Edge.START,
    *,
    is_descending: bool,
    is_backward: bool = False,
) -> list[QuerySet[Any, Any]]:
    """Return the rows after the edge (slots `key0`, `key1`) in the parts that follow each other; see `Edge`.

    `is_descending` is how the parts are walked; backward means that the rows without a value come first.
    """
    value = value_of(by)
    by_value, by_row = sort_keys_of(by, is_descending=is_descending)
    valued = rows.filter(is_null(by, is_present=True)).order_by(by_value, by_row)
    lacking = rows.filter(is_null(by, is_present=False)).order_by(by_row)
    row = Slot("key1", UUIDField())
    if edge is Edge.VALUE:
        place = Slot("key0", FIELDS[measure_of(by.kind)])
        valued = valued.filter(_Beyond(value, F("pk"), place, row, is_descending=is_descending))
    if edge is Edge.PAST_VALUES:
        lacking = lacking.filter(**{"pk__lt" if is_descending else "pk__gt": row})
    if is_backward:
        return [valued] if edge is Edge.VALUE else [lacking, valued]
    return [lacking] if edge is Edge.PAST_VALUES else [valued, lacking]


def merged_order(by: Property, *, is_descending: bool) -> tuple[OrderBy, ...]:
    """Return the same order for a query that reads every row anyway."""
    value = OrderBy(value_of(by), descending=is_descending, nulls_last=True)
    return value, OrderBy(F("pk"), descending=is_descending)


def sort_keys_of(by: Property, *, is_descending: bool) -> list[OrderBy]:
    """Return the order within each of the parts."""
    return [OrderBy(key, descending=is_descending) for key in (value_of(by), F("pk"))]


def sort_key_texts(by: Property) -> tuple[Combinable, ...]:
    """Return what a cursor keeps of a row: the value as text, which loses no digit, and the id."""
    return Cast(value_of(by), TextField()), F("pk")


class _Beyond(Func):
    """`(value, id) > (slot, slot)`: as one comparison of rows, an index starts there."""

    output_field = BooleanField()

    def __init__(self, *expressions: Any, is_descending: bool) -> None:
        self._operator = "<" if is_descending else ">"
        super().__init__(*expressions)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:  # type: ignore[override]  # takes no template
        compiled = [compiler.compile(expression) for expression in self.source_expressions]
        value, row, value_slot, row_slot = (text for text, _ in compiled)
        parameters = [parameter for _, its in compiled for parameter in its]
        return f"(({value}, {row}) {self._operator} ({value_slot}, {row_slot}))", parameters

    @property
    def identity(self) -> tuple[Any, ...]:
        return (type(self), self._operator, *self.source_expressions)
