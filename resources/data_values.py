"""Values of `data` as SQL: taken out of the JSON in the type that the schema says, and compared.

An index stands on the same expressions, so they have to be spelt the same here and there: `resources.services.indexes`
makes its DDL of `INDEXED`.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from django.contrib.postgres.fields import ArrayField
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BooleanField,
    DateTimeField,
    DecimalField,
    Expression,
    F,
    Field,
    Func,
    JSONField,
    Q,
    TextField,
)
from django.db.models.expressions import Combinable
from django.db.models.sql.compiler import SQLCompiler

from core.plans import Slot
from resources.schemas.values import Kind, Property

TEXT, NUMBER, TIME, FLAG = "text", "number", "time", "flag"

INDEXED: Final = {
    TEXT: 'left(nook_text("data" #> {path}), 300)',
    NUMBER: 'nook_number("data" #> {path})',
    TIME: 'nook_time("data" #> {path})',
    FLAG: 'nook_flag("data" #> {path})',
}
"""What is compared, by measure. Of a text the first 300 characters: more may not fit into a row of an index."""

CONTAINED: Final = 'nook_text("data" #> {path})'
"""In what a part of a text is looked for."""

_MEASURES: Final = {
    Kind.TEXT: TEXT,
    Kind.DATE: TEXT,
    Kind.UUID: TEXT,
    Kind.INTEGER: NUMBER,
    Kind.NUMBER: NUMBER,
    Kind.TIME: TIME,
    Kind.FLAG: FLAG,
}


class _Numeric(DecimalField):  # type: ignore[type-arg]  # not generic at run time
    """`numeric` of any length, as JSON's numbers are."""

    def __init__(self) -> None:
        super().__init__(max_digits=None, decimal_places=None)

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "numeric"


FIELDS: "Final[dict[str, Field[Any, Any]]]" = {
    TEXT: TextField(),
    NUMBER: _Numeric(),
    TIME: DateTimeField(),
    FLAG: BooleanField(),
}
JSON: "Final[Field[Any, Any]]" = JSONField()

Place = Callable[[str, "Field[Any, Any]"], Expression]
"""Gives the place of a named value: a slot of a plan, or the value itself."""


class Given(Slot):
    """A value that is known already, where a plan would have a slot."""

    def __init__(self, name: str, output_field: "Field[Any, Any]", value: Any) -> None:
        super().__init__(name, output_field)
        self.value = value

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return f"%s::{self.output_field.db_type(connection)}", [self.value]

    @property
    def identity(self) -> tuple[Any, ...]:
        return (type(self), self.name, repr(self.value))


def given(values: dict[str, Any]) -> Place:
    """Return the places that hold these values."""
    return lambda name, field: Given(name, field, values[name])


def measure_of(kind: Kind) -> str:
    """Return how values of a single kind are compared."""
    return _MEASURES[kind]


def array_literal(path: tuple[str, ...]) -> str:
    """Return the path as PostgreSQL reads an array of texts."""
    quoted = (name.replace("\\", "\\\\").replace('"', '\\"') for name in path)
    return "{" + ",".join(f'"{name}"' for name in quoted) + "}"


class Extracted(Func):
    """What stands at a path of `data`, or of a column with copies of it, by one of the spellings above."""

    def __init__(self, spelling: str, path: tuple[str, ...], field: "Field[Any, Any]", *, column: str = "data") -> None:
        before, _, after = spelling.partition('"data" #> {path}')
        self._affixes = before, after
        self._path = path
        self._column = column
        super().__init__(F(column), output_field=field)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:  # type: ignore[override]  # takes no template
        column, parameters = compiler.compile(self.source_expressions[0])
        before, after = self._affixes
        return f"{before}{column} #> %s::text[]{after}", [*parameters, array_literal(self._path)]

    @property
    def identity(self) -> tuple[Any, ...]:
        return (type(self), *self._affixes, self._path, self._column)


def value_of(described: Property, *, column: str = "data") -> Extracted:
    """Return the value as it is compared, sorted and indexed."""
    measure = measure_of(described.kind)
    return Extracted(INDEXED[measure], described.path, FIELDS[measure], column=column)


def whole_text_of(path: tuple[str, ...]) -> Extracted:
    """Return the whole text, in which parts are looked for."""
    return Extracted(CONTAINED, path, FIELDS[TEXT])


def is_absent(path: tuple[str, ...]) -> Q:
    """Return the condition that nothing, or null, stands at the path: for what cannot be compared."""
    kind = Extracted("coalesce(jsonb_typeof(\"data\" #> {path}), 'null')", path, FIELDS[TEXT])
    return Q(Func(kind, template="(%(expressions)s = 'null')", output_field=BooleanField()))


def compared(left: Combinable, operator: str, right: Combinable) -> Q:
    """Return the condition `left operator right`."""
    return Q(Func(left, right, template="(%(expressions)s)", arg_joiner=f" {operator} ", output_field=BooleanField()))


class Comparison(Protocol):
    """Makes a condition of a value of `data` and a named value."""

    def __call__(self, described: Property, name: str, place: Place) -> Q: ...


def _ordered(operator: str) -> Comparison:
    def comparison(described: Property, name: str, place: Place) -> Q:
        return compared(value_of(described), operator, place(name, FIELDS[measure_of(described.kind)]))

    return comparison


def _different(described: Property, name: str, place: Place) -> Q:
    """Where the value is another or absent; three conditions, each of which an index serves."""
    value = place(name, FIELDS[measure_of(described.kind)])
    mine = value_of(described)
    return compared(mine, "<", value) | compared(mine, ">", value) | Q(_null(mine, "IS NULL"))


def _among(described: Property, name: str, place: Place) -> Q:
    values = place(name, ArrayField(FIELDS[measure_of(described.kind)]))
    return Q(
        Func(
            value_of(described),
            values,
            template="%(expressions)s)",
            arg_joiner=" = ANY(",
            output_field=BooleanField(),
        )
    )


def _with_part(described: Property, name: str, place: Place) -> Q:
    return compared(whole_text_of(described.path), "ILIKE", place(name, FIELDS[TEXT]))


def _contained(described: Property, name: str, place: Place) -> Q:
    return Q(data__contains=place(name, JSON))


def _absent(described: Property, name: str, place: Place) -> Q:
    return Q(_null(value_of(described), "IS NULL")) if described.kind.is_single else is_absent(described.path)


def _present(described: Property, name: str, place: Place) -> Q:
    return Q(_null(value_of(described), "IS NOT NULL")) if described.kind.is_single else ~is_absent(described.path)


def _null(value: Combinable, test: str) -> Func:
    return Func(value, template=f"(%(expressions)s {test})", output_field=BooleanField())


def is_null(described: Property, *, is_present: bool) -> Q:
    """Return the condition that the value is there, or is not."""
    return _present(described, "", Slot) if is_present else _absent(described, "", Slot)


COMPARISONS: Final[dict[str, Comparison]] = {
    "eq": _ordered("="),
    "gt": _ordered(">"),
    "gte": _ordered(">="),
    "lt": _ordered("<"),
    "lte": _ordered("<="),
    "ne": _different,
    "in": _among,
    "part": _with_part,
    "contained": _contained,
    "absent": _absent,
    "present": _present,
}
"""How a filter compares, by name."""

AS_INDEXED: Final = frozenset({"eq", "ne", "in", "gt", "gte", "lt", "lte", "absent", "present"})
"""Those that look at a single value as an index holds it, and at nothing else."""

INDEXED_COMPARISONS: Final = frozenset({"eq", "in", "gt", "gte", "lt", "lte", "part"})
"""Those by which an index of the type leads to the rows."""
