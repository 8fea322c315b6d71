"""Plans: a queryset compiled once, whose JSON PostgreSQL itself writes.

The ORM says what is read and who may see it; here its SQL is kept with named slots for what each request
brings. A plan runs on Django's own connection, prepared and bound by the server, and gives back bytes: no
model instance, no serializer, no decoding. With `connection.execute_wrappers` or query logging at work the
statement takes Django's own way, so that every query is counted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from psycopg import sql

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
        parameters = [values[name] for name in self._names]
        if connection.execute_wrappers or connection.queries_logged:
            return self._fetch_counted(parameters)
        connection.ensure_connection()
        try:
            with connection.wrap_database_errors:
                return self._fetch(parameters)
        except OperationalError:
            if connection.in_atomic_block or not connection.connection.closed:
                raise
        # The server has closed an idle connection: asking each time beforehand would cost every request a round trip.
        connection.close()
        connection.ensure_connection()
        with connection.wrap_database_errors:
            return self._fetch(parameters)

    def _fetch(self, parameters: list[Any]) -> Row | None:
        driver = connection.connection
        cursor = psycopg.RawCursor(driver)
        cursor.execute(self._query, parameters, prepare=driver.prepare_threshold is not None)
        result = cursor.pgresult
        if result is None or not result.ntuples:
            return None
        return tuple(result.get_value(0, column) for column in range(result.nfields))

    def _fetch_counted(self, parameters: list[Any]) -> Row | None:
        with connection.cursor() as cursor:
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


def _literal(value: Any) -> str:
    # Constants belong to the plan, not to the request, and the planner does better when it knows them.
    connection.ensure_connection()
    return sql.Literal(value).as_string(connection.connection)
