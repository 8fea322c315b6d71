"""The reads of resources as plans: one resource, a numbered page, a cursor page; each is one statement.

Statements are kept by shape: in what role one asks, which parameters are given, what is wanted. What a
request brings fills the slots.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from django.db.models import F
from django.db.models.expressions import Combinable, RawSQL

from core.api.pagination import SortKey
from core.api.query import MAX_WINDOW
from core.plans import Fragment, Slot, Statement, Unseen
from resources.access import Asker
from resources.appearance import looks_as_ever
from resources.data_sorting import Edge, merged_order, parts, sort_key_texts, sort_keys_of
from resources.data_values import INDEXED_COMPARISONS, Place
from resources.hits import FOUND, FewRows, rows_by, statement, ways_for
from resources.merging import Heads, first, in_order_of, in_turn, merged, shown
from resources.models import Form, Resource, ResourceQuerySet, Share
from resources.query import FILTERS, IDENTIFIER, RANK, TEXT, WHOLE, beyond, matches, rank
from resources.shapes import ListShape, Shape, asked_by
from resources.walks import Rows, ids_of, newest_in_parts, of_type, unseen, whole_in_parts

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

_EVERY: Final = """
SELECT row_to_json((SELECT shown FROM (SELECT {columns}) AS shown))::text FROM ({items}) AS item ({columns})
"""


@lru_cache(maxsize=_KEPT)
def slotted(permissions: frozenset[str], is_anonymous: bool) -> Asker:
    """Return the asker that holds `permissions`, with slots for who it is."""
    known = Asker.holding(permissions)
    if is_anonymous:
        return known
    return known.named(user=Slot("user", IDENTIFIER), role=Slot("role", TEXT))


@lru_cache(maxsize=_KEPT)
def detail(shape: Shape) -> Statement:
    """Return the statement for one resource (slot `id`): its JSON, and its version as the ETag says it."""
    columns, item = shown(_visible(shape).filter(id=Slot("id", IDENTIFIER)), shape, F("version"))
    return Statement(_DETAIL, columns=columns, item=item)


@lru_cache(maxsize=_KEPT)
def version(shape: Shape) -> Statement:
    """Return the statement for the version of one resource (slot `id`), and whether it looks as it ever did in that."""
    rows = _visible(shape).filter(id=Slot("id", IDENTIFIER))
    known = looks_as_ever(shape.asker, shape.includes)
    template = "SELECT version, is_known::int FROM ({rows}) AS row (version, is_known)"
    return Statement(template, rows=Fragment.of(rows.values_list("version", known)))


@lru_cache(maxsize=_KEPT)
def page(listed: ListShape, *, is_first: bool = True) -> Statement | FewRows:
    """Return the statement for a numbered page (slot `offset` past the first): its JSON and the capped count."""
    window = {"limit": Fragment(str(listed.per_page)), "offset": Fragment("0") if is_first else _OFFSET, "cap": _CAP}
    reach = window["limit"] if is_first else Fragment(f"{listed.per_page} + %s", _OFFSET.parameters)
    by_parts = _ranked_page(listed, window) if listed.is_ranked else _page_by_parts(listed, reach, window)
    heads = Heads(listed, listed.sort)

    def answer(few: ListShape) -> Fragment:
        columns, items = merged([FOUND], heads.one, few, heads.keys, reach)
        return Fragment.filled(_PAGE, {"columns": columns, "items": items, "matching": FOUND, **window})

    return _with_few(listed, by_parts, heads, answer)


def _with_few(
    listed: ListShape, by_parts: Statement, heads: Heads, answer: Callable[[ListShape], Fragment]
) -> Statement | FewRows:
    """Return the statements that answer where few rows are looked at, before the one that answers always."""
    ways = ways_for(listed)
    if not ways:
        return by_parts
    few = asked_by(listed, unseen(listed.shape.asker))
    candidates = narrowed(Resource.objects.get_queryset(), few, Unseen)
    answered = answer(few)
    attempts = (
        statement(way, few, candidates, heads.of(narrowed(rows_by(way, few), few, Unseen)), answered) for way in ways
    )
    return FewRows(tuple(attempts), by_parts)


def _page_by_parts(listed: ListShape, reach: Fragment, window: dict[str, Fragment]) -> Statement:
    if _is_walked(listed):
        listed = asked_by(listed, unseen(listed.shape.asker))
    if listed.by is not None:
        both = [parts(listed.by, rows, is_descending=listed.sort[0].descending) for rows in _found(listed)]
        keys = sort_keys_of(listed.by, is_descending=listed.sort[0].descending)
        columns, items = in_turn(both, listed, keys, reach, limit=str(MAX_WINDOW))
    else:
        columns, items = first(_found(listed), listed, listed.sort, reach)
    return Statement(_PAGE, columns=columns, items=items, matching=matching_parts(listed), **window)


def _ranked_page(listed: ListShape, window: dict[str, Fragment]) -> Statement:
    ranked = Fragment.united([Fragment.of(rows.values_list("id", rank(alike=listed.alike))) for rows in _found(listed)])
    one = Resource.all_objects.filter(id=RawSQL("best.id", []))
    columns, items = shown(one, listed.shape, is_search=True)
    direction = Fragment("DESC" if listed.sort[0].descending else "ASC")
    return Statement(_RANKED_PAGE, ranked=ranked, columns=columns, items=items, direction=direction, **window)


@lru_cache(maxsize=_KEPT)
def cursor_page(
    listed: ListShape, *, is_start: bool, is_backward: bool, is_past_values: bool = False
) -> Statement | FewRows:
    """Return the statement for a page from a cursor (slots `key0`, …): its JSON and the sort keys of every row.

    One row more than the page is looked for; only its keys are given, to tell that the list goes on. Sorted by data,
    the cursor may stand among the rows that lack the value: `is_past_values`.
    """
    edge = Edge.START if is_start else Edge.PAST_VALUES if is_past_values else Edge.VALUE
    order = tuple(SortKey(key.path, key.descending is not is_backward) for key in listed.sort)
    reach = Fragment(str(listed.per_page + 1))
    heads = Heads(listed, order, edge, is_backward=is_backward)
    others = sort_key_texts(listed.by) if listed.by else tuple(F(key.path) for key in order)
    if _is_walked(listed):
        listed = asked_by(listed, unseen(listed.shape.asker))
    if listed.by is not None:
        both = [heads.parts(rows) for rows in _found(listed)]
        columns, items = in_turn(both, listed, heads.keys[1:], reach, *others, limit=reach.text)
    else:
        found = [heads.past(rows, Unseen if _is_walked(listed) else Slot) for rows in _found(listed)]
        columns, items = first(found, listed, order, reach, *others)

    def answer(few: ListShape) -> Fragment:
        columns, items = merged([FOUND], heads.one, few, heads.keys, reach, *others)
        return Fragment.filled(_CURSOR_PAGE, _from_cursor(columns, items, few, is_backward=is_backward))

    by_parts = Statement(_CURSOR_PAGE, **_from_cursor(columns, items, listed, is_backward=is_backward))
    return _with_few(listed, by_parts, heads, answer)


def _from_cursor(columns: Fragment, items: Fragment, listed: ListShape, *, is_backward: bool) -> dict[str, Fragment]:
    """Return the pieces of a page from a cursor."""
    return {
        "columns": columns,
        "items": items,
        "limit": Fragment(str(listed.per_page)),
        "keys": Fragment(", ".join(f"_key{place}" for place in range(len(listed.sort)))),
        "direction": Fragment("DESC" if is_backward else "ASC"),
    }


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
    columns, items = shown(in_order_of(matching, order), listed.shape)
    return Statement(_EVERY, columns=columns, items=items)


@lru_cache(maxsize=_KEPT)
def total(listed: ListShape) -> Statement:
    """Return the statement that counts every row of a list, for work that reads them all."""
    return Statement("SELECT count(*) FROM ({matching}) AS matching", matching=matching_parts(listed))


def matching_parts(
    listed: ListShape, expressions: Sequence[Combinable] = (), in_shares: Sequence[Combinable] | None = ()
) -> Fragment:
    """Return id and expressions of all that matches, in parts without overlap.

    An index serves each part; of a test with `OR` it would serve none. `in_shares`: the same expressions over shares,
    None where these do not have all of them.
    """
    if not _is_everything(listed):
        found = [_matching(listed)] if listed.shape.in_bin else _parts(listed)
    elif in_shares is None:
        # Each part begins at what the caller holds, so one plan does for all; planning took longer than running.
        found = _parts(asked_by(listed, unseen(listed.shape.asker)))
    else:
        asker = listed.shape.asker
        found = whole_in_parts(unseen(asker)) if expressions else newest_in_parts(asker)
        found = [of_type(rows, listed.type_key) for rows in found] if listed.type_key else found
    over = {Resource: expressions, Share: in_shares or ()}
    return Fragment.united([ids_of(rows, *over[rows.model]) for rows in found])


def _is_everything(listed: ListShape) -> bool:
    """Return whether the list has all that somebody may read who sees little, or all of a type."""
    narrowing = (listed.filters, listed.data, listed.is_search, listed.access, listed.shape.in_bin)
    return listed.shape.sees_little and not any(narrowing)


def _is_walked(listed: ListShape) -> bool:
    """Return whether the list is all that somebody may read by `created_at`, and they see little: see `walks`."""
    is_by_time = listed.by is None and [key.path for key in listed.sort] == ["created_at", "pk"]
    return _is_everything(listed) and is_by_time and not listed.type_key


def _found(listed: ListShape) -> list[Rows]:
    """Return what matches: whole where a walk tests row after row, else in parts, each with an index of its own."""
    if _is_walked(listed):
        return newest_in_parts(listed.shape.asker)
    return _parts(listed) if listed.shape.form is Form.UNION and not listed.shape.in_bin else [_matching(listed)]


def _parts(listed: ListShape) -> list[Rows]:
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


def in_order(rows: ResourceQuerySet, listed: ListShape, place: Place = Slot) -> ResourceQuerySet:
    """Return the rows in the order of the list."""
    if listed.by is not None:
        return rows.order_by(*merged_order(listed.by, is_descending=listed.sort[0].descending))
    if RANK in (key.path for key in listed.sort):
        rows = rows.annotate(rank=rank(place, alike=listed.alike))
    return rows.order_by(*(key.ordering for key in listed.sort))
