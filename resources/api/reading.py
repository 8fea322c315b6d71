"""Reading resources over HTTP: which plan serves a question, what fills its slots, how its bytes are sent on."""

import time
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson
from django.http import HttpResponse
from rest_framework.request import Request

from core.api.concurrency import etag, not_modified
from core.api.cursors import Cursor, read_cursor
from core.api.envelope import encode, success_json
from core.api.pagination import binding, cursor_meta, page_meta
from core.api.query import MAX_WINDOW, trim
from core.errors import NotFound
from core.permissions import Caller
from resources import plans
from resources.keywords.sealing import may_hold_sealed, opened, opened_rows
from resources.models import Form
from resources.questions import Question
from resources.shapes import LINKED, ListShape, Shape

_NEVER_KNOWN: Final = frozenset({"files", "owner"})
"""What may be embedded and changes, seldom, without a new version and without a note of it: a picture, a scanned file.
It is answered whole."""

_ESTIMATE_SECONDS: Final = 60.0
_ESTIMATES_KEPT: Final = 1000
_estimates: Final[dict[Any, tuple[float, int]]] = {}


def one(request: Request, caller: Caller, resource_id: UUID, query: dict[str, Any]) -> HttpResponse:
    """Return the resource, or 304 when the client has what it would get; `NotFound` where there is none to see."""
    fields, includes = query.get("fields", ()), query.get("include", ())
    if "HTTP_IF_NONE_MATCH" in request.META and _NEVER_KNOWN.isdisjoint(includes):
        known = _not_modified(request, caller, resource_id, includes)
        if known is not None:
            return known
    raw, version = resource_json(caller, resource_id, fields, includes)
    return success_json(_trimmed(raw, query), headers={"ETag": etag(version)})


def resource_json(
    caller: Caller, resource_id: UUID, fields: tuple[str, ...] = (), includes: tuple[str, ...] = ()
) -> tuple[bytes, str]:
    """Return the resource as JSON, and its version as the ETag says it; `NotFound` where there is none to see."""
    statement = plans.detail(_shape_of_one(caller.permissions, caller.is_anonymous, fields, includes))
    row = statement.fetch({"user": caller.id, "role": caller.role, "id": resource_id})
    if row is None or row[0] is None or row[1] is None:
        raise NotFound
    return in_clear(row[0], resource_id), row[1].decode()


@lru_cache(maxsize=512)
def _shape_of_one(
    permissions: frozenset[str], is_anonymous: bool, fields: tuple[str, ...], includes: tuple[str, ...]
) -> Shape:
    # One row is tested, whichever form serves the lists of whoever asks.
    return Shape(plans.slotted(permissions, is_anonymous), Form.EACH, fields, includes)


def linked_json(resource_id: UUID) -> tuple[bytes, str]:
    """Return what a link shows of the resource, and its version; `NotFound` when it has gone in this moment."""
    row = plans.detail(LINKED).fetch({"id": resource_id})
    if row is None or row[0] is None or row[1] is None:
        raise NotFound
    return in_clear(row[0], resource_id), row[1].decode()


def is_linked_known(resource_id: UUID) -> bool:
    """Return whether what a link shows of the resource looks as it ever did in its version."""
    row = plans.version(LINKED).fetch({"id": resource_id})
    return row is not None and row[1] == b"1"


def in_clear(raw: bytes, resource_id: UUID | None = None) -> bytes:
    """Return the JSON of a resource, or of a list of them, with sealed values of `data` opened.

    Nothing is parsed where nothing is sealed, which one look tells. Rows of a list carry their ids for it.
    """
    if not may_hold_sealed(raw):
        return raw
    value = orjson.loads(raw)
    if isinstance(value, list):
        return encode(opened_rows(value))
    return encode({**value, "data": opened(value["data"], resource_id)} if "data" in value else value)


def many(request: Request, caller: Caller, query: dict[str, Any], *, in_bin: bool = False) -> HttpResponse:
    """Return the list that the query asks for: a numbered page, or one from a cursor."""
    question = Question.of(caller, query, in_bin=in_bin)
    listed, values = question.listed, question.values
    if "cursor" in query:
        return _cursor_page(request, listed, values, query)
    raw, counted = _page(listed, values)
    if not counted and listed.is_search:
        listed = replace(listed, alike=True)
        raw, counted = _page(listed, values)
    total = _estimated(listed, values, counted) if counted > MAX_WINDOW else counted
    meta = page_meta(query, total=total, is_estimate=counted > MAX_WINDOW)
    return success_json(_trimmed(raw, query), meta=meta)


def _not_modified(
    request: Request, caller: Caller, resource_id: UUID, includes: tuple[str, ...]
) -> HttpResponse | None:
    statement = plans.version(_shape_of_one(caller.permissions, caller.is_anonymous, (), includes))
    row = statement.fetch({"user": caller.id, "role": caller.role, "id": resource_id})
    if row is None or row[0] is None:
        raise NotFound
    return not_modified(request, row[0].decode()) if row[1] == b"1" else None


def _page(listed: ListShape, values: dict[str, Any]) -> tuple[bytes, int]:
    raw, counted = plans.page(listed, is_first=not values["offset"]).fetch(values) or (b"[]", b"0")
    return in_clear(raw or b"[]"), int(counted or 0)


def _cursor_page(request: Request, listed: ListShape, values: dict[str, Any], query: dict[str, Any]) -> HttpResponse:
    bound_to = binding(request, query)
    if listed.by is not None:
        # What a value was under another schema has no place in this order.
        bound_to = f"{bound_to}|{listed.by.kind.value}"
    cursor, listed = _read_cursor(listed, query, bound_to)
    raw, rows = _fetch_from(listed, cursor, values)
    if not rows and cursor is None and listed.is_search:
        listed = replace(listed, alike=True)
        raw, rows = _fetch_from(listed, cursor, values)
    meta = _meta_of(rows, listed, cursor, query["per_page"], bound_to)
    return success_json(_trimmed(raw, query), meta=meta)


def _read_cursor(listed: ListShape, query: dict[str, Any], bound_to: str) -> tuple[Cursor | None, ListShape]:
    """Return the cursor, and the list it goes on with: it says whether names that are alike are being listed."""
    if not query["cursor"]:
        return None, listed
    cursor = read_cursor(query["cursor"], bound_to=bound_to, length=len(listed.sort) + 1)
    return Cursor(cursor.values[1:], cursor.is_backward), replace(listed, alike=cursor.values[0])


def _fetch_from(listed: ListShape, cursor: Cursor | None, values: dict[str, Any]) -> tuple[bytes, list[list[Any]]]:
    edges = cursor.values if cursor else ()
    is_backward = cursor is not None and cursor.is_backward
    is_past_values = listed.by is not None and cursor is not None and cursor.values[0] is None
    statement = plans.cursor_page(
        listed, is_start=cursor is None, is_backward=is_backward, is_past_values=is_past_values
    )
    keyed = {f"key{place}": value for place, value in enumerate(edges)}
    raw, keys = statement.fetch({**values, **keyed}) or (b"[]", b"[]")
    return in_clear(raw or b"[]"), orjson.loads(keys or b"[]")


def _meta_of(
    rows: list[list[Any]], listed: ListShape, cursor: Cursor | None, per_page: int, bound_to: str
) -> dict[str, Any]:
    is_backward = cursor is not None and cursor.is_backward
    has_more, shown = len(rows) > per_page, rows[:per_page]
    if is_backward:
        shown.reverse()
    has_previous = has_more if is_backward else cursor is not None
    has_next = has_more or is_backward
    return cursor_meta(
        per_page,
        previous=Cursor((listed.alike, *shown[0]), is_backward=True) if shown and has_previous else None,
        following=Cursor((listed.alike, *shown[-1])) if shown and has_next else None,
        bound_to=bound_to,
    )


def _estimated(listed: ListShape, values: dict[str, Any], counted: int) -> int:
    """Return what the planner believes of a list too long to count, asked at most once a minute."""
    statement = plans.estimate(listed)
    key = (listed, *(repr(values[name]) for name in statement.slots))
    until, total = _estimates.get(key, (0.0, 0))
    if time.monotonic() < until:
        return total
    row = statement.fetch(values)
    total = max(counted, int(orjson.loads(row[0] or b"[]")[0]["Plan"]["Plan Rows"])) if row else counted
    if len(_estimates) >= _ESTIMATES_KEPT:
        _estimates.clear()
    _estimates[key] = (time.monotonic() + _ESTIMATE_SECONDS, total)
    return total


def _trimmed(raw: bytes, query: dict[str, Any]) -> bytes:
    """Return the JSON with only the asked paths of `data`; whole fields, and what is embedded, were chosen in SQL.

    The id that comes along with `data` goes where nobody asked for it.
    """
    fields = query.get("fields", ())
    if not any("." in name for name in fields) and ("data" not in fields or "id" in fields):
        return raw
    names = (*fields, *query.get("include", ()))
    value = orjson.loads(raw)
    return encode([trim(item, names) for item in value] if isinstance(value, list) else trim(value, names))
