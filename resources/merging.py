"""Parts of a list as one, in its order: each walked no further than the page can need."""

from collections.abc import Sequence
from typing import Final

from django.db.models import Case, F, IntegerField, Value, When
from django.db.models.expressions import Combinable, OrderBy, RawSQL

from core.api.pagination import SortKey
from core.plans import Fragment, Slot, Unseen
from resources.data_sorting import Edge, parts, sort_keys_of
from resources.data_values import is_null
from resources.models import Resource
from resources.query import KEY_FIELDS, RANK, beyond, rank
from resources.representation import selected
from resources.shapes import ListShape, Shape
from resources.walks import Rows, ids_of, order_in

_BEST: Final = """
SELECT item.*
FROM (SELECT head.* FROM ({heads}) AS head (id, {names}) ORDER BY {order} LIMIT {reach}) AS best
     CROSS JOIN LATERAL ({item} OFFSET 0) AS item
ORDER BY {order}
"""


class Heads:
    """Where a page begins, and the keys that its rows are sorted by: for rows as they are found, in whatever way.

    Sorted by data, the first key is the part that a row stands in: those with the value, or those without.
    """

    def __init__(
        self, listed: ListShape, order: tuple[SortKey, ...], edge: Edge = Edge.START, *, is_backward: bool = False
    ) -> None:
        self.keys = keys_of(order)
        self.one: Rows = with_rank(Resource.all_objects.get_queryset(), listed, order)
        self._listed, self._order, self._edge, self._is_backward = listed, order, edge, is_backward
        if listed.by is not None:
            self.keys = [OrderBy(Value(0)), *sort_keys_of(listed.by, is_descending=order[0].descending)]

    def of(self, rows: Rows) -> list[tuple[Rows, list[Combinable]]]:
        """Return the rows past the edge, each with the keys."""
        if self._listed.by is None:
            return [(self.past(rows, Unseen), [key.expression for key in self.keys])]
        value, row = [key.expression for key in self.keys[1:]]
        if self._edge is Edge.START:
            # Whole, since each part of it would read all the rows.
            is_later = When(is_null(self._listed.by, is_present=self._is_backward), then=Value(1))
            return [(rows, [Case(is_later, default=Value(0)), value, row])]
        return [(part, [Value(place, IntegerField()), value, row]) for place, part in enumerate(self.parts(rows))]

    def past(self, rows: Rows, slot: type[Slot]) -> Rows:
        """Return the rows that come after the cursor (slots `key0`, …), if there is one."""
        rows = with_rank(rows, self._listed, self._order)
        if self._edge is Edge.START:
            return rows
        edges = tuple(slot(f"key{place}", KEY_FIELDS[key.path]) for place, key in enumerate(self._order))
        return rows.filter(beyond(order_in(rows, self._order), edges))

    def parts(self, rows: Rows) -> list[Rows]:
        """Return the rows past the edge that have the value they are sorted by, and those that lack it, in turn."""
        by, is_descending = self._listed.by, self._order[0].descending
        if by is None:
            return [rows]
        return parts(by, rows, self._edge, is_descending=is_descending, is_backward=self._is_backward)


def in_order_of(rows: Rows, order: tuple[SortKey, ...]) -> Rows:
    return rows.order_by(*(key.ordering for key in order_in(rows, order)))


def with_rank(rows: Rows, listed: ListShape, order: tuple[SortKey, ...]) -> Rows:
    """Annotate `rank`, where the order asks for it."""
    return rows.annotate(rank=rank(alike=listed.alike)) if RANK in (key.path for key in order) else rows


def first(
    found: list[Rows],
    listed: ListShape,
    order: tuple[SortKey, ...],
    reach: Fragment,
    *others: Combinable,
) -> tuple[Fragment, Fragment]:
    """Return the names of the fields that are shown, and the rows in order; of several parts as far as `reach`."""
    walked = [in_order_of(rows, order) for rows in found]
    if len(walked) == 1:
        return shown(walked[0], listed.shape, *others, is_search=listed.is_search)
    heads = [_head(rows, [F(key.path) for key in order_in(rows, order)], reach) for rows in walked]
    one = with_rank(Resource.all_objects.get_queryset(), listed, order)
    return merged(heads, one, listed, keys_of(order), reach, *others)


def keys_of(order: tuple[SortKey, ...]) -> list[OrderBy]:
    """Return the keys of the order as expressions over resources."""
    return [OrderBy(F(key.path), descending=key.descending) for key in order]


def in_turn(
    found: Sequence[Sequence[Rows]],
    listed: ListShape,
    keys: list[OrderBy],
    reach: Fragment,
    *others: Combinable,
    limit: str,
) -> tuple[Fragment, Fragment]:
    """Return the names of the fields that are shown, and the rows with a value, then those without: each up to `limit`.

    `found` has these, or one of the two, in this order, for each part of what matches.
    """
    both = [_by_value(rows, listed, keys, reach, *others) for rows in zip(*found, strict=True)]
    if len(both) == 1:
        return both[0]
    # With a limit inside, no part is read before it is needed, and none side by side with another.
    limited = [Fragment(f"{items.text} LIMIT {limit}", items.parameters) for _, items in both]
    return both[0][0], Fragment.united(limited)


def _by_value(
    found: Sequence[Rows], listed: ListShape, keys: list[OrderBy], reach: Fragment, *others: Combinable
) -> tuple[Fragment, Fragment]:
    if len(found) == 1:
        return shown(found[0], listed.shape, *others, is_search=listed.is_search)
    heads = [_head(rows, [key.expression for key in keys], reach) for rows in found]
    return merged(heads, Resource.all_objects.get_queryset(), listed, keys, reach, *others)


def merged(
    heads: list[Fragment],
    one: Rows,
    listed: ListShape,
    keys: list[OrderBy],
    reach: Fragment,
    *others: Combinable,
) -> tuple[Fragment, Fragment]:
    """Return the names of the fields that are shown, and the sorted parts of what matches as one, as far as `reach`.

    Each part is walked in the order of the keys, by an index where one leads, and no further than the page can need;
    what is shown is looked up for the rows that are left.
    """
    columns, item = shown(one.filter(id=RawSQL("best.id", [])), listed.shape, *others, is_search=listed.is_search)
    names = [f"_by{place}" for place in range(len(keys))]
    order = ", ".join(f"{name} {'DESC' if key.descending else 'ASC'}" for name, key in zip(names, keys, strict=True))
    pieces = {"heads": Fragment.united(heads), "reach": reach, "item": item}
    pieces |= {"names": Fragment(", ".join(names)), "order": Fragment(order)}
    return columns, Fragment.filled(_BEST, pieces)


def _head(rows: Rows, keys: Sequence[Combinable], reach: Fragment) -> Fragment:
    """Return the ids and keys of the first rows."""
    walk = ids_of(rows, *keys)
    return Fragment(f"{walk.text} LIMIT {reach.text}", walk.parameters + reach.parameters)


def shown(rows: Rows, shape: Shape, *others: Combinable, is_search: bool = False) -> tuple[Fragment, Fragment]:
    """Return the names of the fields that are shown, and the rows with these columns and then the others."""
    fields = selected(shape.fields, shape.includes, is_search=is_search)
    columns = Fragment(", ".join(f'"{name}"' for name in fields))
    expressions = [field(shape.asker) for field in fields.values()]
    return columns, Fragment.of(rows.values_list(*expressions, *others))
