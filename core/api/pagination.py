"""Lists: numbered pages with a capped total, or signed cursors over the sort keys.

`paginate` serves any queryset; a list that builds its own SQL uses `page_meta`, `cursor_meta` and
`core.api.cursors` with the same rules.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from core.api.access import caller_of
from core.api.cursors import Cursor, read_cursor, sign_cursor
from core.api.envelope import encode, success
from core.api.query import MAX_WINDOW, trim

Row = TypeVar("Row", bound=models.Model)

_OUTSIDE_BINDING: Final = frozenset({"page", "per_page", "cursor", "fields", "include"})


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of the order: the ORM path and whether it descends."""

    path: str
    descending: bool

    @property
    def ordering(self) -> str:
        return f"-{self.path}" if self.descending else self.path


def paginate(
    queryset: QuerySet[Row] | Sequence[QuerySet[Row]],
    request: Request,
    query: dict[str, Any],
    *,
    shape: Callable[[Row], dict[str, Any]] | None = None,
    shape_all: Callable[[Sequence[Row]], list[dict[str, Any]]] | None = None,
    sorts: dict[str, str],
    default_sort: str,
) -> HttpResponse:
    """Return one page of the queryset as `query` (from a `PagedQuery`) asks for it.

    `sorts` maps the public sort names to ORM paths; the primary key is added as the tie-breaker. Several querysets of
    one model are one list in which a row stands once: each is read as far as the page goes along an index of its own,
    where their OR would sort them all. `shape` makes an item of a row, `shape_all` of all rows of the page at once.
    """
    parts = (queryset,) if isinstance(queryset, QuerySet) else tuple(queryset)
    keys = sort_keys(query.get("sort") or (default_sort,), sorts)
    if "cursor" in query:
        rows, meta = _cursor_page(parts, keys, query, bound_to=binding(request, query))
    else:
        rows, meta = _numbered_page(parts, keys, query)
    items = shape_all(rows) if shape_all else [shape(row) for row in rows] if shape else []
    if query.get("fields"):
        items = [trim(item, query["fields"]) for item in items]
    return success(items, meta=meta)


def sort_keys(names: Sequence[str], sorts: dict[str, str]) -> tuple[SortKey, ...]:
    """Return the order that the names ask for, made total by the primary key."""
    keys = [SortKey(sorts[name.removeprefix("-")], name.startswith("-")) for name in names]
    return (*keys, SortKey("pk", keys[-1].descending))


def binding(request: Request, query: dict[str, Any]) -> str:
    """Return what a cursor of this list belongs to: path, caller, sort and filters."""
    bound = {name: value for name, value in query.items() if name not in _OUTSIDE_BINDING}
    canonical = orjson.dumps(orjson.loads(encode(bound)), option=orjson.OPT_SORT_KEYS).decode()
    return f"{request.path}|{caller_of(request).id}|{canonical}"


def page_meta(query: dict[str, Any], *, total: int, is_estimate: bool = False) -> dict[str, Any]:
    """Return the meta of a numbered page."""
    per_page = query["per_page"]
    meta = {
        "page": query.get("page", 1),
        "per_page": per_page,
        "total": total,
        "total_pages": -(-total // per_page),
    }
    return {**meta, "total_is_estimate": True} if is_estimate else meta


def cursor_meta(per_page: int, *, previous: Cursor | None, following: Cursor | None, bound_to: str) -> dict[str, Any]:
    """Return the meta of a cursor page; None at the ends."""
    return {
        "per_page": per_page,
        "next_cursor": following and sign_cursor(following, bound_to=bound_to),
        "previous_cursor": previous and sign_cursor(previous, bound_to=bound_to),
    }


def _numbered_page(
    parts: Sequence[QuerySet[Row]], keys: tuple[SortKey, ...], query: dict[str, Any]
) -> tuple[list[Row], dict[str, Any]]:
    per_page = query["per_page"]
    start = (query.get("page", 1) - 1) * per_page
    rows = list(_first(parts, keys, start + per_page)[start:])
    total, is_estimate = capped_total(*parts)
    return rows, page_meta(query, total=total, is_estimate=is_estimate)


def _first(parts: Sequence[QuerySet[Row]], keys: tuple[SortKey, ...], number: int) -> QuerySet[Row]:
    """Return the first so many rows of the parts in this order."""
    ordering = [key.ordering for key in keys]
    first, *others = (part.order_by(*ordering)[:number] for part in parts)
    return first.union(*others).order_by(*ordering)[:number] if others else first


def capped_total(*parts: QuerySet[Any]) -> tuple[int, bool]:
    """Return how many rows there are: exact up to 10,000, past that what the planner believes."""
    first, *others = (part.order_by().values("pk")[: MAX_WINDOW + 1] for part in parts)
    counted = (first.union(*others)[: MAX_WINDOW + 1] if others else first).count()
    if counted <= MAX_WINDOW:
        return counted, False
    plans = (orjson.loads(part.order_by().values("pk").explain(format="json")) for part in parts)
    return max(counted, *(int(plan[0]["Plan"]["Plan Rows"]) for plan in plans)), True


def _cursor_page(
    parts: Sequence[QuerySet[Row]], keys: tuple[SortKey, ...], query: dict[str, Any], *, bound_to: str
) -> tuple[list[Row], dict[str, Any]]:
    per_page = query["per_page"]
    cursor = read_cursor(query["cursor"], bound_to=bound_to, length=len(keys)) if query["cursor"] else None
    is_backward = cursor is not None and cursor.is_backward
    order = tuple(SortKey(key.path, key.descending is not is_backward) for key in keys)
    if cursor is not None:
        parts = [part.filter(_after(part.model, order, cursor.values)) for part in parts]
    found = list(_first(parts, order, per_page + 1))
    has_more, rows = len(found) > per_page, found[:per_page]
    if is_backward:
        rows.reverse()
    has_previous = has_more if is_backward else cursor is not None
    has_next = has_more or is_backward
    meta = cursor_meta(
        per_page,
        previous=Cursor(_values(rows[0], keys), is_backward=True) if rows and has_previous else None,
        following=Cursor(_values(rows[-1], keys)) if rows and has_next else None,
        bound_to=bound_to,
    )
    return rows, meta


def _values(row: models.Model, keys: tuple[SortKey, ...]) -> tuple[Any, ...]:
    values = []
    for key in keys:
        value: Any = row
        for name in key.path.split("__"):
            value = getattr(value, name)
        values.append(value)
    return tuple(values)


def _after(model: type[models.Model], order: tuple[SortKey, ...], values: tuple[Any, ...]) -> Q:
    """Return the condition for rows that come after these values.

    The first column is bounded a second time by itself, so that PostgreSQL starts the index there.
    """
    condition = Q()
    equal = Q()
    for key, value in zip(order, values, strict=True):
        condition |= equal & _beyond(key, value)
        equal &= Q(**{f"{key.path}__isnull": True}) if value is None else Q(**{key.path: value})
    first, value = order[0], values[0]
    if value is None or _is_nullable(model, first.path):
        return condition
    return Q(**{f"{first.path}__{'lte' if first.descending else 'gte'}": value}) & condition


def _beyond(key: SortKey, value: Any) -> Q:
    """Return the condition for rows beyond the value in this column; nulls are last ascending, first descending."""
    if value is None:
        return Q(**{f"{key.path}__isnull": False}) if key.descending else Q(pk__in=[])
    if key.descending:
        return Q(**{f"{key.path}__lt": value})
    return Q(**{f"{key.path}__gt": value}) | Q(**{f"{key.path}__isnull": True})


def _is_nullable(model: type[models.Model], path: str) -> bool:
    if path == "pk":
        return False
    field: Any = None
    for name in path.split("__"):
        field = model._meta.get_field(name)
        if field.null:
            return True
        model = field.related_model or model
    return False
