"""Loading the demo world: COPY, with the search indexes built afterwards when there is much to load."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from resources.demo.files import add_files
from resources.demo.keywords import keep_side_rows
from resources.demo.rows import COLUMNS, resource_lines
from resources.demo.types import demo_types
from resources.models import Resource

_SEED: Final = 20_261_121
_LINES_AT_ONCE: Final = 2000
_BESIDE: Final = ("resource_unique_values", "resource_references")
REBUILD_FROM: Final = 50_000
"""From this many rows on, dropping the indexes and building them anew is faster than keeping them."""

_SESSION: Final = """
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL maintenance_work_mem = '256MB';
SET CONSTRAINTS ALL IMMEDIATE
"""
_INDEXES: Final = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid IN ('resources'::regclass, 'resource_tags'::regclass) AND NOT indisunique
"""
_FOREIGN_KEYS: Final = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'resources'::regclass AND contype = 'f'
"""
_SHARES: Final = """
INSERT INTO shares (id, resource_id, user_id, access, given_by_id)
SELECT nook_uuid7(), chosen.id, receiver.id, 1 + chosen.place %% 4, chosen.owner_id
FROM (SELECT id, owner_id, row_number() OVER (ORDER BY id) AS place
      FROM resources
      WHERE visibility = 'private' AND deleted_at IS NULL AND owner_id = ANY(%(people)s)
      ORDER BY id DESC LIMIT 500) AS chosen
JOIN LATERAL (SELECT id FROM unnest(%(people)s::uuid[]) WITH ORDINALITY AS people (id, place)
              WHERE people.place = 1 + chosen.place %% cardinality(%(people)s::uuid[])) AS receiver
  ON receiver.id <> chosen.owner_id
WHERE chosen.place %% 5 = 0
ON CONFLICT DO NOTHING
"""
_COMMENTS: Final = """
INSERT INTO comments (id, created_at, updated_at, resource_id, author_id, body)
SELECT nook_uuid7(), chosen.created_at, chosen.created_at, chosen.id, author.id,
       (ARRAY['Is the number right?', 'Looks good to me.', 'Please have another look at this by Friday.',
              'I have talked to them; they agree.'])[1 + chosen.place %% 4]
FROM (SELECT id, owner_id, created_at, row_number() OVER (ORDER BY id) AS place
      FROM resources
      WHERE visibility <> 'private' AND deleted_at IS NULL AND owner_id = ANY(%(people)s)
        AND NOT EXISTS (SELECT 1 FROM comments WHERE resource_id = resources.id)
      ORDER BY id DESC LIMIT 200) AS chosen
JOIN LATERAL (SELECT id FROM unnest(%(people)s::uuid[]) WITH ORDINALITY AS people (id, place)
              WHERE people.place = 1 + chosen.place %% cardinality(%(people)s::uuid[])) AS author ON true
WHERE chosen.place %% 3 <> 0
"""


def load_resources(wanted: int, people: Sequence[UUID], *, progress: Callable[[int], object]) -> int:
    """Bring the resources of `people` up to `wanted`, some shared or commented, two with a file;
    return how many. Each is its own first version.

    No events are written: the log tells what happened, and none of this did.
    """
    types = demo_types()
    present: int = Resource.all_objects.filter(owner_id__in=people).count()
    missing = max(wanted - present, 0)
    if missing:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_SESSION)
            with indexes_later(rebuild=missing >= REBUILD_FROM):
                seed = _SEED + present
                _copy(resource_lines(missing, people, types=types, first_number=present + 1, seed=seed), progress)
            keep_side_rows(list(types), people)
            cursor.execute(_SHARES, {"people": list(people)})
            cursor.execute(_COMMENTS, {"people": list(people)})
        add_files(people)
    return missing


def refresh_statistics() -> None:
    """Let the planner, and index-only scans, know of the new rows."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for table in ("users", "resources", "resource_versions", "resource_tags", "shares", "comments", *_BESIDE):
            cursor.execute(f"VACUUM (ANALYZE) {table}")
        cursor.execute("RESET statement_timeout")


def _copy(lines: Iterator[str], progress: Callable[[int], object]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY resources ({COLUMNS}) FROM STDIN") as copy:
        while batch := list(islice(lines, _LINES_AT_ONCE)):
            copy.write("".join(batch))
            progress(len(batch))


@contextmanager
def indexes_later(*, rebuild: bool) -> Iterator[None]:
    """Drop indexes and foreign keys of the tables for the block and make them anew after it; unique ones stay."""
    if not rebuild:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(_INDEXES)
        indexes = cursor.fetchall()
        cursor.execute(_FOREIGN_KEYS)
        keys = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        for table, name, _ in keys:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        yield
        for _, definition in indexes:
            cursor.execute(definition)
        for table, name, definition in keys:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
