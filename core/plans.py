"""Plans: a queryset compiled once, whose JSON PostgreSQL itself writes.

The ORM says what is read and who may see it; here its SQL is kept with named slots for what each request
brings. A plan runs on Django's own connection, prepared and bound by the server, and gives back bytes: no
model instance, no serializer, no decoding. With `connection.execute_wrappers` or query logging at work the
statement takes Django's own way, so that every query is counted.
"""

import json
import re
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import count, cycle
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, JSONField, Model, QuerySet
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql.compiler import SQLCompiler
from psycopg import pq, sql
from psycopg.errors import error_from_result

_PLACEHOLDER: Final = re.compile(r"%[s%]")

Row = tuple[bytes | None, ...]


class Slot(Expression):
    """The place of a value that each request brings: compiles to a placeholder with a cast."""

    def __init__(self, name: str, output_field: "Field[Any, Any]") -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return f"%s::{self.output_field.db_type(connection)}", [self]

    @property
    def identity(self) -> tuple[Any, ...]:
        return (type(self), self.name)


class Unseen(Slot):
    """A slot whose value the planner never sees, for statements of which one plan is best whoever asks.

    PostgreSQL plans anew for each value where it believes that this pays; here it cannot, and keeps the plan.
    """

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        text, parameters = super().as_sql(compiler, connection)
        # The second cast keeps `ANY((SELECT …))` from asking for any row of a query.
        return f"(SELECT {text})::{self.output_field.db_type(connection)}", parameters


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of SQL with `%s` placeholders, and for each the slot's name or the constant that stands there."""

    text: str
    parameters: tuple[Any, ...] = ()

    @classmethod
    def of(cls, queryset: QuerySet[Any, Any]) -> "Fragment":
        """Return the SQL of a queryset that was built with slots."""
        text, parameters = queryset.query.get_compiler(connection=connection).as_sql()
        return cls(text, tuple(parameters))

    @classmethod
    def united(cls, fragments: Sequence["Fragment"]) -> "Fragment":
        """Return the SQL that gives the rows of each fragment in turn."""
        text = " UNION ALL ".join(f"({fragment.text})" for fragment in fragments)
        return cls(text, tuple(parameter for fragment in fragments for parameter in fragment.parameters))

    @classmethod
    def filled(cls, template: str, pieces: Mapping[str, "Fragment"]) -> "Fragment":
        """Return the SQL of the template with the pieces in its `{name}` places."""
        parts = re.split(r"\{(\w+)\}", template)
        chosen = [pieces[part] if is_name else cls(part) for is_name, part in zip(cycle((False, True)), parts)]
        text = "".join(piece.text for piece in chosen)
        return cls(text, tuple(parameter for piece in chosen for parameter in piece.parameters))


class Statement:
    """Finished SQL: constants written in, slots numbered."""

    def __init__(self, template: str, **fragments: Fragment) -> None:
        """Put the fragments into the template's `{name}` places; `{$name}` is a slot of the template itself."""
        self._names: list[str] = []
        self.text = self._resolve(template, fragments)
        self._query: Final = self.text.encode()
        self._counted: Final = re.sub(r"\$\d+", "%s", self.text.replace("%", "%%"))
        self._order: Final = [int(number) - 1 for number in re.findall(r"\$(\d+)", self.text)]

    @property
    def slots(self) -> tuple[str, ...]:
        """Return the names of the values that `fetch` needs."""
        return tuple(self._names)

    def fetch(self, values: Mapping[str, Any]) -> Row | None:
        """Return the first row as the bytes that the server sent, or None where there is none."""
        database = connections[DEFAULT_DB_ALIAS]
        parameters = [values[name] for name in self._names]
        if database.execute_wrappers or database.queries_logged:
            return self._fetch_counted(database, parameters)
        if database.connection is None:
            database.ensure_connection()
        try:
            with database.wrap_database_errors:
                return self._fetch(database, parameters)
        except OperationalError:
            if database.in_atomic_block or not database.connection.closed:
                raise
        # The server has closed an idle connection: asking each time beforehand would cost every request a round trip.
        database.close()
        database.ensure_connection()
        with database.wrap_database_errors:
            return self._fetch(database, parameters)

    def explain(self, values: Mapping[str, Any], *, options: str = "COSTS OFF") -> str:
        """Return how PostgreSQL would run the statement with these values; for guards and for whoever tunes."""
        database = connections[DEFAULT_DB_ALIAS]
        database.ensure_connection()
        query = b"EXPLAIN (%b) %b" % (options.encode(), self._query)
        cursor = psycopg.RawCursor(database.connection)
        rows = cursor.execute(query, [values[name] for name in self._names], prepare=False).fetchall()
        return "\n".join(line for (line,) in rows)

    def stream(
        self, values: Mapping[str, Any], *, batch_bytes: int, most_rows: int = 1000
    ) -> Generator[list[str], None, None]:
        """Yield the rows' one text in batches of about so many bytes, from a cursor of the server.

        Memory stays flat however many rows there are, and all of them are of one moment. In a transaction, which the
        caller has begun. While the caller works on a batch, a thread waits for the next one.
        """
        database = connections[DEFAULT_DB_ALIAS]
        database.ensure_connection()
        wanted = min(100, most_rows)
        parameters = [values[name] for name in self._names]
        with (
            database.wrap_database_errors,
            psycopg.RawServerCursor(database.connection, "nook_stream") as cursor,
            ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading-ahead") as reader,
        ):
            cursor.execute(self._query, parameters)
            coming = reader.submit(cursor.fetchmany, wanted)
            while rows := [row[0] for row in coming.result()]:
                row_bytes = sum(map(len, rows)) / len(rows)
                wanted = max(1, min(most_rows, int(batch_bytes / max(row_bytes, 1))))
                coming = reader.submit(cursor.fetchmany, wanted)
                yield rows

    def _fetch(self, database: BaseDatabaseWrapper, parameters: list[Any]) -> Row | None:
        driver = database.connection
        result: pq.abc.PGresult | None
        if _may_prepare(database):
            result = self._fetch_prepared(driver, [_text(parameter) for parameter in parameters])
        else:
            result = psycopg.RawCursor(driver).execute(self._query, parameters, prepare=False).pgresult
        if result is None or not result.ntuples:
            return None
        return tuple(result.get_value(0, column) for column in range(result.nfields))

    def _fetch_prepared(self, driver: psycopg.Connection[Any], parameters: list[Any]) -> pq.abc.PGresult:
        """Run the statement by name, past the driver's cursor: a third of a small read was spent in there."""
        result = driver.pgconn.exec_prepared(_name_of(self._query, driver), parameters)
        if result.status == pq.ExecStatus.TUPLES_OK:
            return result
        error = _error_of(result, driver)
        if error.sqlstate not in _OUTDATED or driver.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            raise error
        # A table has changed under the statement: it has to be prepared anew.
        _prepared.pop(driver, None)
        result = driver.pgconn.exec_prepared(_name_of(self._query, driver), parameters)
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise _error_of(result, driver)
        return result

    def _fetch_counted(self, database: BaseDatabaseWrapper, parameters: list[Any]) -> Row | None:
        with database.cursor() as cursor:
            cursor.execute(self._counted, [parameters[index] for index in self._order])
            row = cursor.fetchone()
        return None if row is None else tuple(None if value is None else str(value).encode() for value in row)

    def _resolve(self, template: str, fragments: Mapping[str, Fragment]) -> str:
        def replacement(match: re.Match[str]) -> str:
            name = match.group(1)
            return self._number(name[1:]) if name.startswith("$") else self._written(fragments[name])

        return re.sub(r"\{(\$?\w+)\}", replacement, template)

    def _written(self, fragment: Fragment) -> str:
        parameters = iter(fragment.parameters)

        def replacement(match: re.Match[str]) -> str:
            if match.group() == "%%":
                return "%"
            parameter = next(parameters)
            return self._number(parameter.name) if isinstance(parameter, Slot) else _literal(parameter)

        return _PLACEHOLDER.sub(replacement, fragment.text)

    def _number(self, name: str) -> str:
        if name not in self._names:
            self._names.append(name)
        return f"${self._names.index(name) + 1}"


class Insertion:
    """The INSERT of one row of a model, compiled once; the ORM compiles it anew for every row."""

    def __init__(self, model: type[Model], *names: str) -> None:
        """Name the fields that are written; every other column has a default in the database, or is null."""
        fields = {field.name: field for field in model._meta.concrete_fields}
        self._fields: Final = [fields[name] for name in names]
        self._by_default: Final = [
            field.attname for field in fields.values() if field.has_db_default() and field.name not in names
        ]
        columns = ", ".join(f'"{field.column}"' for field in self._fields)
        places = ", ".join(f"{{${field.attname}}}" for field in self._fields)
        table = model._meta.db_table
        self._statement: Final = Statement(f'INSERT INTO "{table}" ({columns}) VALUES ({places}) RETURNING 1')  # noqa: S608  # names of ours

    def run(self, row: Model) -> None:
        """Insert the row; what the database defaults to is read when somebody asks the row for it."""
        self._statement.fetch({field.attname: _stored(field, getattr(row, field.attname)) for field in self._fields})
        row._state.adding = False
        for name in self._by_default:
            if isinstance(row.__dict__.get(name), DatabaseDefault):
                del row.__dict__[name]


def _stored(field: "Field[Any, Any]", value: Any) -> Any:
    if value is not None and isinstance(field, JSONField):
        return json.dumps(value, cls=field.encoder)
    return value


_MOSTLY: Final = (str, UUID)
"""What statements are asked with, all but a few."""

_OUTDATED: Final = frozenset({"0A000", "26000"})
_PREPARED_AT_MOST: Final = 500
_numbers: Final = count(1)
_prepared: Final[WeakKeyDictionary[psycopg.Connection[Any], dict[bytes, bytes]]] = WeakKeyDictionary()


def _may_prepare(database: BaseDatabaseWrapper) -> bool:
    """Return whether a statement may be run by name: not behind a pooler, and only when a transaction that Django
    has begun has reached the server, which the driver sees to at its first statement."""
    if database.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
        return False
    if database.autocommit:
        return True
    return bool(database.connection.pgconn.transaction_status == pq.TransactionStatus.INTRANS)


def _name_of(query: bytes, driver: psycopg.Connection[Any]) -> bytes:
    """Return the name under which the connection knows the query, prepared now if need be; the oldest is let go."""
    known = _prepared.get(driver)
    if known is None:
        known = _prepared[driver] = {}
    name = known.get(query)
    if name is None:
        name = b"nook_%d" % next(_numbers)
        _require_done(driver.pgconn.prepare(name, query), driver)
        known[query] = name
        if len(known) > _PREPARED_AT_MOST:
            oldest = next(iter(known))
            _require_done(driver.pgconn.exec_(b"DEALLOCATE " + known.pop(oldest)), driver)
    return name


def _require_done(result: pq.abc.PGresult, driver: psycopg.Connection[Any]) -> None:
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise _error_of(result, driver)


def _error_of(result: pq.abc.PGresult, driver: psycopg.Connection[Any]) -> psycopg.Error:
    if driver.pgconn.status == pq.ConnStatus.BAD:
        return psycopg.OperationalError(driver.pgconn.get_error_message())
    return error_from_result(result)


def _text(value: Any) -> bytes | None:
    """Return a value as PostgreSQL reads it; the slots say the types."""
    if isinstance(value, _MOSTLY):
        return str(value).encode()
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat().encode()
    if isinstance(value, list | tuple):
        quoted = (str(item).replace("\\", "\\\\").replace('"', '\\"') for item in value)
        return ("{" + ",".join(f'"{item}"' for item in quoted) + "}").encode()
    return str(value).encode()


def _literal(value: Any) -> str:
    # Constants belong to the plan, not to the request, and the planner does better when it knows them.
    connection.ensure_connection()
    return sql.Literal(value).as_string(connection.connection)
