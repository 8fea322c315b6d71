"""`python -m bench.fanout`: how fast many are told, beside PostgreSQL's COPY of the same rows.

It works in the database of DATABASE_URL, where nobody may have been told anything yet: it empties the tables of
notifications and messages between its rounds. The people are of its own making, and are taken away again.
"""

import argparse
import io
import json
import sys
import time
from statistics import median
from typing import Any
from uuid import uuid4

import django
from django.db import connection, transaction

_DOMAIN = "fanout.bench.example"
_TABLES = ("notifications", "messages")


def main() -> None:
    """Measure some rounds and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="Print rows a second as JSON: told, and copied.")
    options = parser.parse_args()
    django.setup()
    _refuse_a_database_in_use()
    _make_people(options.people)
    try:
        pairs = [_round(options.people) for _ in range(options.rounds)]
    finally:
        _take_away()
    rows = len(_TABLES) * options.people
    told, copied = (rows / median(seconds) for seconds in zip(*pairs, strict=True))
    if options.json:
        sys.stdout.write(json.dumps({"told": told, "copied": copied}))
        return
    sys.stdout.write(
        f"{options.people} people, {rows} rows: {told:,.0f} rows/s told,"
        f" {copied:,.0f} rows/s by COPY: {told / copied:.0%}\n"
    )


def _round(people: int) -> tuple[float, float]:
    """Return the seconds of telling everybody, and of copying the same rows in the same chunks."""
    from core.jobs import Work
    from notifications.services.fanout import CHUNK, tell_chunk

    parameters = {"kind": "system.broadcast", "context": {"title": "News", "text": "All is well."}}
    everybody = {"users": [], "role": "", "all": True}
    work = Work(uuid4(), None, {**parameters, "to": everybody}, {})
    started = time.perf_counter()
    is_done = None
    while is_done is None:
        with transaction.atomic():
            is_done = tell_chunk(work)
    told = time.perf_counter() - started
    chunks = [{table: _copied_out(table, CHUNK, start) for table in _TABLES} for start in range(0, people, CHUNK)]
    _forget_told()
    started = time.perf_counter()
    for chunk in chunks:
        with transaction.atomic():
            for table in _TABLES:
                _copy_in(table, chunk[table])
    copied = time.perf_counter() - started
    _forget_told()
    return told, copied


def _copied_out(table: str, number: int, start: int) -> bytes:
    buffer = io.BytesIO()
    column = "user_id" if table == "notifications" else "recipient_id"
    query = f"SELECT * FROM {table} ORDER BY {column} LIMIT {number} OFFSET {start}"  # noqa: S608  # names of ours
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT") as copy:
        for piece in copy:
            buffer.write(piece)
    return buffer.getvalue()


def _copy_in(table: str, rows: bytes) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        copy.write(rows)


def _refuse_a_database_in_use() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM notifications) OR EXISTS (SELECT FROM messages)")
        if cursor.fetchone()[0]:
            sys.exit("This database has notifications or messages, and this would delete them: give an empty one.")


def _make_people(number: int) -> None:
    _execute(
        "INSERT INTO users (id, email, password_hash, name, is_active, email_verified)"
        " SELECT nook_uuid7(), n || %s, '!', 'Somebody', true, true FROM generate_series(1, %s) AS n",
        f"@{_DOMAIN}",
        number,
    )
    _execute("ANALYZE users")


def _forget_told() -> None:
    """Empty the tables and make them as they were before, without dead rows."""
    for table in reversed(_TABLES):
        _execute(f"DELETE FROM {table}")  # noqa: S608  # names of ours
        _execute(f"VACUUM ANALYZE {table}")
    _execute("DELETE FROM outbox WHERE task = 'notifications.tasks.release'")


def _take_away() -> None:
    _forget_told()
    _execute("DELETE FROM users WHERE email LIKE %s", f"%@{_DOMAIN}")


def _execute(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))


if __name__ == "__main__":
    main()
