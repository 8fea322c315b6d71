"""The limit: the statements of our plans in a bare WSGI function; no routing, no caller, no limits, no log."""

import gc
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, cast
from urllib.parse import parse_qs
from uuid import UUID

import django
import psycopg

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from core.api.pagination import sort_keys  # noqa: E402  # after the setup
from core.plans import Statement  # noqa: E402
from resources import plans  # noqa: E402
from resources.models import Form  # noqa: E402
from resources.query import SORTS  # noqa: E402
from resources.shapes import ListShape, Shape  # noqa: E402

_SHAPE = Shape(plans.slotted(frozenset(), is_anonymous=False), Form.OR)
_DETAIL = plans.detail(_SHAPE)
_LIST = cast(Statement, plans.page(ListShape(_SHAPE, sort_keys(("-created_at",), SORTS))))
_SEARCH = cast(Statement, plans.page(ListShape(_SHAPE, sort_keys(("-rank",), SORTS), is_search=True)))
_CALLER = {"user": UUID(os.environ["BENCH_USER"]), "role": "user"}
_local = threading.local()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a detail, a list or a search."""
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path != "/resources":
        row = _fetch(_DETAIL, {**_CALLER, "id": path.rpartition("/")[2]})
        body = b'{"success":true,"data":' + row[0] + b"}"
    else:
        values = {**_CALLER, "q": parse_qs(query)["q"][0]} if query else _CALLER
        row = _fetch(_SEARCH if query else _LIST, values)
        body = b'{"success":true,"data":' + row[0] + b',"meta":{"total":' + row[1] + b"}}"
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _fetch(statement: Statement, values: dict[str, Any]) -> tuple[bytes, bytes]:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = psycopg.connect(os.environ["BENCH_CONNINFO"], autocommit=True)
    cursor = psycopg.RawCursor(connection)
    cursor.execute(statement.text.encode(), [values[name] for name in statement.slots], prepare=True)
    result = cursor.pgresult
    assert result is not None  # noqa: S101  # a read has a result
    return result.get_value(0, 0) or b"null", result.get_value(0, 1) or b"0"


gc.collect()
gc.freeze()
