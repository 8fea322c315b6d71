"""What PostgreSQL does for a piece of work: its statements, their plans, and which tables they read from end to end."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

LARGE: Final = 10_000
"""From how many rows on a table should be read by an index."""

_READS: Final = ("SELECT", "WITH", "TABLE")
_ESTIMATES: Final = "SELECT relname, reltuples::bigint FROM pg_class WHERE relname = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement that was run, and with what."""

    text: str
    parameters: Any

    @property
    def is_read(self) -> bool:
        return self.text.lstrip(" (\n").upper().startswith(_READS)


@dataclass(frozen=True, slots=True)
class Explained:
    """A statement, how PostgreSQL runs it, and the large tables that it reads from end to end, with their rows."""

    text: str
    plan: str
    scanned: dict[str, int]


@contextmanager
def statements() -> Iterator[list[Asked]]:
    """Collect what is asked of the database inside."""
    asked: list[Asked] = []

    def collect(execute: Callable[..., Any], text: str, parameters: Any, many: bool, context: Any) -> Any:
        asked.append(Asked(text, parameters))
        return execute(text, parameters, many, context)

    with connection.execute_wrapper(collect):
        yield asked


def explain(asked: Asked, *, large: int = LARGE, is_run: bool = False) -> Explained:
    """Return how PostgreSQL runs what was asked, run once more for its times with `is_run`; only for what reads.

    `large` is from how many rows on, by the statistics, reading a table from end to end is told.
    """
    options = "ANALYZE, BUFFERS, " if is_run else ""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {asked.text}", asked.parameters)
        (found,) = cursor.fetchone()
        cursor.execute(f"EXPLAIN ({options}FORMAT TEXT) {asked.text}", asked.parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    tables = _scanned(found if isinstance(found, list) else json.loads(found))
    return Explained(" ".join(asked.text.split()), plan, _large_ones(tables, large))


def _scanned(node: Any) -> set[str]:
    """Return the tables that some node of the plan reads from end to end."""
    if isinstance(node, list):
        return set().union(*map(_scanned, node))
    if not isinstance(node, dict):
        return set()
    own = {node["Relation Name"]} if node.get("Node Type") in {"Seq Scan", "Parallel Seq Scan"} else set()
    return own.union(*(_scanned(child) for child in node.values() if isinstance(child, dict | list)))


def _large_ones(tables: set[str], large: int) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_ESTIMATES, [sorted(tables)])
        return {name: rows for name, rows in cursor.fetchall() if rows >= large}
