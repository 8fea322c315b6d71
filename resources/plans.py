"""The reads of resources as plans: one resource, a numbered page, a cursor page; each is one statement.

Statements are kept by shape: in what role one asks, which parameters are given, what is wanted. What a
request brings fills the slots.
"""

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Final

from django.db.models import F
from django.db.models.expressions import Combinable, OrderBy, RawSQL

from core.api.pagination import SortKey
from core.api.query import DEFAULT_PER_PAGE, MAX_WINDOW
from core.plans import Fragment, Slot, Statement
from resources.access import Asker, Level
from resources.data_query import DataFilter
from resources.data_sorting import Edge, merged_order, parts, sort_key_texts, sort_keys_of
from resources.data_values import INDEXED_COMPARISONS, Place
from resources.models import Form, Resource, ResourceQuerySet
from resources.query import FILTERS, IDENTIFIER, KEY_FIELDS, RANK, TEXT, WHOLE, beyond, matches, rank
from resources.representation import selected
from resources.schemas.values import Property

_KEPT: Final = 512
_CAP: Final = Fragment(str(MAX_WINDOW + 1))
_OFFSET: Final = Fragment("%s", (Slot("offset", WHOLE),))

_DETAIL: Final = """
SELECT row_to_json((SELECT shown FROM (SELECT {columns}) AS shown))::text, item._version
FROM ({item}) AS item ({columns}, _version)
"""

_PAGE: Final = """
SELECT (SELECT coalesce(json_agg(row_to_json(item)), '[]')::text
        FROM ({items} LIMIT {limit} OFFSET {offset}) AS item ({columns})),
       (SELECT count(*) FROM ({matching} LIMIT {cap}) AS matching)
"""

# What is ranked is found once: the best of the first 10,001 matches. OFFSET 0 keeps the planner from reading more
# than the rows of the page.
_RANKED_PAGE: Final = """
WITH matching AS MATERIALIZED ({ranked} LIMIT {cap}),
     best (id, rank) AS (TABLE matching ORDER BY 2 {direction}, 1 {direction}
                         LIMIT {limit} OFFSET {offset})
SELECT (SELECT coalesce(json_agg(row_to_json(item)), '[]')::text
        FROM (SELECT item.* FROM best CROSS JOIN LATERAL ({items} OFFSET 0) AS item ({columns})
              ORDER BY best.rank {direction}, best.id {direction}) AS item),
       (SELECT count(*) FROM matching)
"""

_CURSOR_PAGE: Final = """
WITH page AS MATERIALIZED (
    SELECT row_number() OVER () AS _place, item.*
    FROM ({items} LIMIT {limit} + 1) AS item ({columns}, {keys})
)
SELECT (SELECT coalesce(json_agg(row_to_json(item)), '[]')::text
        FROM (SELECT {columns} FROM page WHERE _place <= {limit} ORDER BY _place {direction}) AS item),
       (SELECT coalesce(json_agg(json_build_array({keys}) ORDER BY _place), '[]')::text FROM page)
"""

_BEST: Final = """
SELECT item.*
FROM (SELECT head.* FROM ({heads}) AS head (id, {names}) ORDER BY {order} LIMIT {reach}) AS best
     CROSS JOIN LATERAL ({item} OFFSET 0) AS item
ORDER BY {order}
"""

_EVERY: Final = """
SELECT row_to_json((SELECT shown FROM (SELECT {columns}) AS shown))::text FROM ({items}) AS item ({columns})
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement depends on, whoever asks and for whatever values."""

    asker: Asker
    form: Form
    fields: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    in_bin: bool = False
    by_link: bool = False
    """Whether a link has let the asker in, who then needs no other reason to read."""


@dataclass(frozen=True, slots=True)
class ListShape:
    """What the statement of a list depends on beyond that.

    The length of a page is part of it: the planner takes a limit that it does not know for a tenth of all rows.
    """

    shape: Shape
    sort: tuple[SortKey, ...]
    per_page: int = DEFAULT_PER_PAGE
    filters: frozenset[str] = frozenset()
    is_search: bool = False
    alike: bool = False
    access: Level = Level.NONE
    """The level that the asker has on each row; NONE for any."""
    type_key: str = ""
    """The type whose data is asked about: a constant of the statement, since an index of the type stands on it."""
    data: tuple[DataFilter, ...] = ()
    by: Property | None = None
    """What of the data the rows are sorted by, if they are; those without it come last, whichever the direction."""

    @property
    def is_ranked(self) -> bool:
        """Return whether the list is sorted by rank alone."""
        return self.sort[0].path == RANK


LINKED: Final = Shape(Asker.holding(frozenset()), Form.OR, includes=("owner",), by_link=True)
"""What a link shows: what anonymous readers see, with the owner as everyone may see them."""


@lru_cache(maxsize=_KEPT)
def slotted(permissions: frozenset[str], is_anonymous: bool) -> Asker:
    """Return the asker that holds `permissions`, with slots for who it is."""
    known = Asker.holding(permissions)
    if is_anonymous:
        return known
    return known.named(user=Slot("user", IDENTIFIER), role=Slot("role", TEXT))


@lru_cache(maxsize=_KEPT)
def detail(shape: Shape) -> Statement:
    """Return the statement for one resource (slot `id`): its JSON and its version."""
    columns, item = _shown(_visible(shape).filter(id=Slot("id", IDENTIFIER)), shape, F("version"))
    return Statement(_DETAIL, columns=columns, item=item)


@lru_cache(maxsize=_KEPT)
def version(shape: Shape) -> Statement:
    """Return the statement for the version of one resource (slot `id`)."""
    rows = _visible(shape).filter(id=Slot("id", IDENTIFIER))
    return Statement("{version}", version=Fragment.of(rows.values_list("version")))


@lru_cache(maxsize=_KEPT)
def page(listed: ListShape, *, is_first: bool = True) -> Statement:
    """Return the statement for a numbered page (slot `offset` past the first): its JSON and the capped count."""
    window = {"limit": Fragment(str(listed.per_page)), "offset": Fragment("0") if is_first else _OFFSET, "cap": _CAP}
    if listed.is_ranked:
        return _ranked_page(listed, window)
    reach = window["limit"] if is_first else Fragment(f"{listed.per_page} + %s", _OFFSET.parameters)
    if listed.by is not None:
        both = [parts(listed.by, rows, is_descending=listed.sort[0].descending) for rows in _found(listed)]
        keys = sort_keys_of(listed.by, is_descending=listed.sort[0].descending)
        columns, items = _in_turn(both, listed, keys, reach, limit=str(MAX_WINDOW))
    else:
        columns, items = _first(_found(listed), listed, listed.sort, reach)
    return Statement(_PAGE, columns=columns, items=items, matching=matching_parts(listed), **window)


def _ranked_page(listed: ListShape, window: dict[str, Fragment]) -> Statement:
    ranked = Fragment.united([Fragment.of(rows.values_list("id", rank(alike=listed.alike))) for rows in _found(listed)])
    one = Resource.all_objects.filter(id=RawSQL("best.id", []))
    columns, items = _shown(one, listed.shape, is_search=True)
    direction = Fragment("DESC" if listed.sort[0].descending else "ASC")
    return Statement(_RANKED_PAGE, ranked=ranked, columns=columns, items=items, direction=direction, **window)


@lru_cache(maxsize=_KEPT)
def cursor_page(listed: ListShape, *, is_start: bool, is_backward: bool, is_past_values: bool = False) -> Statement:
    """Return the statement for a page from a cursor (slots `key0`, …): its JSON and the sort keys of every row.

    One row more than the page is looked for; only its keys are given, to tell that the list goes on. Sorted by data,
    the cursor may stand among the rows that lack the value: `is_past_values`.
    """
    order = tuple(SortKey(key.path, key.descending is not is_backward) for key in listed.sort)
    reach = Fragment(str(listed.per_page + 1))
    if listed.by is not None:
        edge = Edge.START if is_start else Edge.PAST_VALUES if is_past_values else Edge.VALUE
        walk = partial(parts, listed.by, edge=edge, is_descending=order[0].descending, is_backward=is_backward)
        both = [walk(rows) for rows in _found(listed)]
        keys = sort_keys_of(listed.by, is_descending=order[0].descending)
        columns, items = _in_turn(both, listed, keys, reach, *sort_key_texts(listed.by), limit=reach.text)
        return _from_cursor(columns, items, listed, is_backward=is_backward)
    found = [_with_rank(rows, listed, order) for rows in _found(listed)]
    if not is_start:
        edges = tuple(Slot(f"key{place}", KEY_FIELDS[key.path]) for place, key in enumerate(order))
        found = [rows.filter(beyond(order, edges)) for rows in found]
    columns, items = _first(found, listed, order, reach, *(F(key.path) for key in order))
    return _from_cursor(columns, items, listed, is_backward=is_backward)


def _from_cursor(columns: Fragment, items: Fragment, listed: ListShape, *, is_backward: bool) -> Statement:
    return Statement(
        _CURSOR_PAGE,
        columns=columns,
        items=items,
        limit=Fragment(str(listed.per_page)),
        keys=Fragment(", ".join(f"_key{place}" for place in range(len(listed.sort)))),
        direction=Fragment("DESC" if is_backward else "ASC"),
    )


@lru_cache(maxsize=_KEPT)
def estimate(listed: ListShape) -> Statement:
    """Return the statement that asks the planner how many rows there may be."""
    return Statement("EXPLAIN (FORMAT JSON) {matching}", matching=Fragment.of(_matching(listed).values_list("id")))


@lru_cache(maxsize=_KEPT)
def every(listed: ListShape, *, is_start: bool) -> Statement:
    """Return the statement for all rows of a list, each as JSON, by their ids; those after `key0` unless `is_start`."""
    order = (SortKey("pk", descending=False),)
    matching = _matching(listed)
    if not is_start:
        matching = matching.filter(beyond(order, (Slot("key0", IDENTIFIER),)))
    columns, items = _shown(_sorted(matching, order), listed.shape)
    return Statement(_EVERY, columns=columns, items=items)


@lru_cache(maxsize=_KEPT)
def total(listed: ListShape) -> Statement:
    """Return the statement that counts every row of a list, for work that reads them all."""
    return Statement("SELECT count(*) FROM ({matching}) AS matching", matching=matching_parts(listed))


def matching_parts(listed: ListShape, *expressions: Combinable) -> Fragment:
    """Return id and expressions of all that matches, in parts without overlap.

    An index serves each part; of a test with `OR` it would serve none.
    """
    found = [_matching(listed)] if listed.shape.in_bin else _parts(listed)
    return Fragment.united([Fragment.of(rows.values_list("id", *expressions)) for rows in found])


def _found(listed: ListShape) -> list[ResourceQuerySet]:
    """Return what matches: whole where a walk tests row after row, else in parts, each with an index of its own."""
    return _parts(listed) if listed.shape.form is Form.UNION and not listed.shape.in_bin else [_matching(listed)]


def _parts(listed: ListShape) -> list[ResourceQuerySet]:
    rows: ResourceQuerySet = Resource.all_objects.get_queryset()
    shape = listed.shape
    # PostgreSQL keeps no statistics of a partial index: of how few rows such a filter leaves, it knows nothing.
    by_ids = shape.form is Form.UNION and any(one.comparison in INDEXED_COMPARISONS for one in listed.data)
    return [narrowed(part, listed) for part in rows.visible_in_parts(shape.asker, shape.form, by_ids=by_ids)]


def _visible(shape: Shape) -> ResourceQuerySet:
    rows: ResourceQuerySet = Resource.all_objects.get_queryset()
    if shape.by_link:
        return rows.alive()
    return rows.in_bin_of(shape.asker) if shape.in_bin else rows.visible_to(shape.asker, form=shape.form)


def _matching(listed: ListShape) -> ResourceQuerySet:
    return narrowed(_visible(listed.shape), listed)


def narrowed(rows: ResourceQuerySet, listed: ListShape, place: Place = Slot) -> ResourceQuerySet:
    """Return those of the rows that the filters and the search of the list let through."""
    if listed.access:
        rows = rows.at_level(listed.shape.asker, listed.access)
    for name in sorted(listed.filters):
        rows = rows.filter(FILTERS[name](name, place))
    if listed.type_key:
        rows = rows.filter(type_id=listed.type_key)  # type: ignore[misc]  # the stubs take the column for the id
    for one in listed.data:
        rows = rows.filter(one.condition(place))
    return rows.filter(matches(place, alike=listed.alike)) if listed.is_search else rows


def asked_by(listed: ListShape, asker: Asker) -> ListShape:
    """Return the same list, asked by someone who is known."""
    return replace(listed, shape=replace(listed.shape, asker=asker))


def in_order(rows: ResourceQuerySet, listed: ListShape, place: Place = Slot) -> ResourceQuerySet:
    """Return the rows in the order of the list."""
    if listed.by is not None:
        return rows.order_by(*merged_order(listed.by, is_descending=listed.sort[0].descending))
    if RANK in (key.path for key in listed.sort):
        rows = rows.annotate(rank=rank(place, alike=listed.alike))
    return _sorted(rows, listed.sort)


def _sorted(rows: ResourceQuerySet, order: tuple[SortKey, ...]) -> ResourceQuerySet:
    return rows.order_by(*(key.ordering for key in order))


def _with_rank(rows: ResourceQuerySet, listed: ListShape, order: tuple[SortKey, ...]) -> ResourceQuerySet:
    """Annotate `rank`, where the order asks for it."""
    return rows.annotate(rank=rank(alike=listed.alike)) if RANK in (key.path for key in order) else rows


def _first(
    found: list[ResourceQuerySet],
    listed: ListShape,
    order: tuple[SortKey, ...],
    reach: Fragment,
    *others: Combinable,
) -> tuple[Fragment, Fragment]:
    """Return the names of the fields that are shown, and the rows in order; of several parts as far as `reach`."""
    walked = [_sorted(rows, order) for rows in found]
    one = _with_rank(Resource.all_objects.get_queryset(), listed, order)
    keys = [OrderBy(F(key.path), descending=key.descending) for key in order]
    return _merged(walked, one, listed, keys, reach, *others)


def _in_turn(
    found: list[list[ResourceQuerySet]],
    listed: ListShape,
    keys: list[OrderBy],
    reach: Fragment,
    *others: Combinable,
    limit: str,
) -> tuple[Fragment, Fragment]:
    """Return the names of the fields that are shown, and the rows with a value, then those without: each up to `limit`.

    `found` has these, or one of the two, in this order, for each part of what matches.
    """
    one = Resource.all_objects.get_queryset()
    shown = [_merged(rows, one, listed, keys, reach, *others) for rows in map(list, zip(*found, strict=True))]
    if len(shown) == 1:
        return shown[0]
    # With a limit inside, no part is read before it is needed, and none side by side with another.
    limited = [Fragment(f"{items.text} LIMIT {limit}", items.parameters) for _, items in shown]
    return shown[0][0], Fragment.united(limited)


def _merged(
    found: list[ResourceQuerySet],
    one: ResourceQuerySet,
    listed: ListShape,
    keys: list[OrderBy],
    reach: Fragment,
    *others: Combinable,
) -> tuple[Fragment, Fragment]:
    """Return the names of the fields that are shown, and the sorted parts of what matches as one, as far as `reach`.

    Each part is walked in the order of the keys, by an index where one leads, and no further than the page can need;
    what is shown is looked up for the rows that are left.
    """
    if len(found) == 1:
        return _shown(found[0], listed.shape, *others, is_search=listed.is_search)
    heads = [_head(rows, keys, reach) for rows in found]
    columns, item = _shown(one.filter(id=RawSQL("best.id", [])), listed.shape, *others, is_search=listed.is_search)
    names = [f"_by{place}" for place in range(len(keys))]
    order = ", ".join(f"{name} {'DESC' if key.descending else 'ASC'}" for name, key in zip(names, keys, strict=True))
    pieces = {"heads": Fragment.united(heads), "reach": reach, "item": item}
    pieces |= {"names": Fragment(", ".join(names)), "order": Fragment(order)}
    return columns, Fragment.filled(_BEST, pieces)


def _head(rows: ResourceQuerySet, keys: list[OrderBy], reach: Fragment) -> Fragment:
    """Return the ids and keys of the first rows."""
    walk = Fragment.of(rows.values_list("id", *(key.expression for key in keys)))
    return Fragment(f"{walk.text} LIMIT {reach.text}", walk.parameters + reach.parameters)


def _shown(
    rows: ResourceQuerySet, shape: Shape, *others: Combinable, is_search: bool = False
) -> tuple[Fragment, Fragment]:
    """Return the names of the fields that are shown, and the rows with these columns and then the others."""
    fields = selected(shape.fields, shape.includes, is_search=is_search)
    columns = Fragment(", ".join(f'"{name}"' for name in fields))
    expressions = [field(shape.asker) for field in fields.values()]
    return columns, Fragment.of(rows.values_list(*expressions, *others))
