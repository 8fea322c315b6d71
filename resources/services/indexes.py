"""The indexes that `x-index` asks for: promised with the schema, built by a job beside all other work.

The rows of `type_indexes` say what there should be. The job compares them with what the database has: what nobody
wants is dropped, what is missing or was left half-built is built, one after another.
"""

import hashlib
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from psycopg import pq, sql

from core.errors import PermissionDenied
from core.jobs import Done, JobFailed, Work, create_job
from core.permissions import ADMIN, Caller
from resources.data_values import CONTAINED, INDEXED, TEXT, array_literal, measure_of
from resources.models import IndexState, ResourceType, TypeIndex
from resources.schemas.keywords import Keywords
from resources.schemas.values import Property, property_named

KIND: Final = "resources.indexes"
PREFIX: Final = "idx_data_"

_STEP_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.2
_MOST_ATTEMPTS: Final = 3
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('nook:type_indexes', 0))"
_PRESENT: Final = """
SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = 'resources'::regclass AND starts_with(relname, %s)
"""


def promise_indexes(kind: ResourceType, *, actor: Caller) -> None:
    """Write down which indexes the type's schema asks for, and have them built, in the caller's transaction."""
    wanted = {described.path: measure_of(described.kind) for described in _asked_for(kind.schema)}
    present = {tuple(row.path): row for row in kind.indexes.all()}
    obsolete = [row.pk for path, row in present.items() if wanted.get(path) != row.measure]
    TypeIndex.objects.filter(pk__in=obsolete).delete()
    kept = {path for path, row in present.items() if row.pk not in obsolete}
    new = [TypeIndex(type=kind, path=list(path), measure=wanted[path]) for path in wanted if path not in kept]
    TypeIndex.objects.bulk_create(new)
    if obsolete or new:
        create_job(KIND, actor=actor)


def forget_indexes(kind: ResourceType, *, actor: Caller) -> None:
    """Have the indexes of a type dropped that is being deleted."""
    if kind.indexes.exists():
        create_job(KIND, actor=actor)


@transaction.atomic
def build_again(ids: Sequence[Any], *, actor: Caller) -> int:
    """Have the failed ones of these indexes built again; return how many. Raises `PermissionDenied`."""
    if not actor.holds(ADMIN):
        raise PermissionDenied
    number = TypeIndex.objects.filter(pk__in=ids, state=IndexState.FAILED).update(state=IndexState.BUILDING, error="")
    if number:
        create_job(KIND, actor=actor)
    return number


def build_next(work: Work) -> Done | None:
    """Bring the database one index nearer to what the types ask for; `Done` when there is nothing left to do."""
    with _alone() as driver:
        if driver is None:
            time.sleep(_PAUSE_SECONDS)
            return None
        present: dict[str, bool] = dict(driver.execute(_PRESENT, [PREFIX]).fetchall())
        obsolete = sorted(set(present) - {name for row in _rows() for name in definitions(row)})
        if obsolete:
            _drop(driver, obsolete[0])
            return None
        row = _rows().filter(state=IndexState.BUILDING).order_by("created_at", "pk").first()
        if row is not None:
            _go_on(driver, row, present, work)
            return None
    return _ended(work)


def definitions(row: TypeIndex) -> dict[str, sql.Composed]:
    """Return the statements that build what the row stands for, by the name of the index.

    The name is a digest: it is as long for every path, and another as soon as anything about the index is.
    """
    columns = [sql.SQL("({value}), id").format(value=_expression(INDEXED[row.measure], row))]
    methods = [sql.SQL("btree")]
    if row.measure == TEXT:
        columns.append(sql.SQL("({value}) gin_trgm_ops").format(value=_expression(CONTAINED, row)))
        methods.append(sql.SQL("gin"))
    return {
        name: sql.SQL(
            "CREATE INDEX {beside} {name} ON resources USING {method} ({columns}) "
            "WHERE deleted_at IS NULL AND type = {type}"
        ).format(
            beside=_beside(),
            name=sql.Identifier(name),
            method=method,
            columns=column,
            type=sql.Literal(row.type.key),
        )
        for method, column in zip(methods, columns, strict=True)
        for name in [_name(row, column)]
    }


def _expression(spelling: str, row: TypeIndex) -> sql.Composed:
    return sql.SQL(spelling).format(path=sql.SQL("{}::text[]").format(sql.Literal(array_literal(tuple(row.path)))))


def _name(row: TypeIndex, column: sql.Composed) -> str:
    digest = hashlib.blake2s(f"{row.type_id}:{column.as_string(None)}".encode(), digest_size=16)
    return PREFIX + digest.hexdigest()


def _asked_for(schema: dict[str, Any]) -> Iterator[Property]:
    for path in Keywords.of(schema).index:
        described = property_named(schema, ".".join(path))
        if described is not None and described.path == path and described.kind.is_single:
            yield described


def _rows() -> Any:
    return TypeIndex.objects.select_related("type")


def _go_on(driver: psycopg.Connection[Any], row: TypeIndex, present: dict[str, bool], work: Work) -> None:
    """Build one index that the row still lacks; without any, mark it as ready."""
    for name, statement in definitions(row).items():
        if name not in present:
            _build(driver, row, name, statement, work)
            return
        if not present[name]:
            # Whoever began it held the lock that we hold now, to its end: it was cut off.
            _drop(driver, name)
            return
    # The planner knows nothing of an expression before its values were sampled.
    driver.execute("ANALYZE resources")
    TypeIndex.objects.filter(pk=row.pk, state=IndexState.BUILDING).update(state=IndexState.READY)
    work.done += 1


def _build(driver: psycopg.Connection[Any], row: TypeIndex, name: str, statement: sql.Composed, work: Work) -> None:
    attempts = work.checkpoint.get(name, 0) + 1
    work.checkpoint[name] = attempts
    error = "Every attempt was cut off." if attempts > _MOST_ATTEMPTS else _made(driver, statement)
    if error:
        TypeIndex.objects.filter(pk=row.pk, state=IndexState.BUILDING).update(
            state=IndexState.FAILED, error=error[:500]
        )
        work.failed += 1


def _made(driver: psycopg.Connection[Any], statement: sql.Composed) -> str:
    """Run the statement and return the error it has ended with, or nothing."""
    if not connection.in_atomic_block:
        return _begin(driver, statement)
    try:
        with transaction.atomic():
            # A table with checks that wait for the end of the transaction gets no index.
            driver.execute("SET CONSTRAINTS ALL IMMEDIATE")
            driver.execute(statement)
            driver.execute("SET CONSTRAINTS ALL DEFERRED")
    except psycopg.Error as error:
        return str(error)
    return ""


def _begin(driver: psycopg.Connection[Any], statement: sql.Composed) -> str:
    """Send the statement, wait for a few seconds, and return the error it has ended with by then, or nothing.

    One that takes longer is left to the server, which finishes it without us, and holds our lock until then: no task
    may take as long as an index over a great many rows.
    """
    link = driver.pgconn
    link.send_query(statement.as_string(None).encode())
    ends_at = time.monotonic() + _STEP_SECONDS
    while link.is_busy():
        left = ends_at - time.monotonic()
        if left <= 0:
            return ""
        select.select([link.socket], [], [], left)
        link.consume_input()
    result = link.get_result()
    while link.get_result() is not None:
        pass
    if result is None or result.status == pq.ExecStatus.COMMAND_OK:
        return ""
    message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"It could not be built."
    return message.decode(errors="replace")


def _drop(driver: psycopg.Connection[Any], name: str) -> None:
    driver.execute(sql.SQL("DROP INDEX {} IF EXISTS {}").format(_beside(), sql.Identifier(name)))


def _beside() -> sql.SQL:
    """Return how an index is made and dropped: beside all writers; in a transaction there is only the plain way."""
    return sql.SQL("" if connection.in_atomic_block else "CONCURRENTLY")


@contextmanager
def _alone() -> Iterator["psycopg.Connection[Any] | None"]:
    """Yield a connection of our own without time limits, or None while another worker is at this work.

    In a transaction it is the connection of that: another one would see nothing of it, and wait for its end.
    """
    if connection.in_atomic_block:
        yield connection.connection
        return
    own = connections.create_connection(DEFAULT_DB_ALIAS)
    with closing(own):
        own.ensure_connection()
        driver: psycopg.Connection[Any] = own.connection
        driver.execute("SET statement_timeout = 0")
        driver.execute("SET lock_timeout = 0")
        row = driver.execute(_LOCK).fetchone()
        yield driver if row and row[0] else None


def _ended(work: Work) -> Done:
    if work.failed:
        raise JobFailed("An index could not be built; the admin's page of the type says why.", code="index_failed")
    return Done()
