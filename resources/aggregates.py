"""Aggregates: counts, sums and the like over what a caller may read, as one statement that writes its own JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.db.models import F, Func, TextField
from django.db.models.expressions import Combinable

from core.errors import ValidationFailed
from core.plans import Fragment, Statement
from resources import plans
from resources.data_query import PREFIX, QueriedType
from resources.data_values import value_of
from resources.questions import Question
from resources.representation import Rfc3339
from resources.schemas.values import Kind, Property
from resources.shapes import ListShape
from resources.share_values import status_in_shares, value_in_shares
from resources.walks import IN_SHARES

COUNT: Final = "count"
MAX_GROUPS: Final = 1_000
"""How many groups are shown, the largest; `meta.groups` says how many there are."""

MAX_ROWS: Final = 1_000_000
"""How many resources are read for one answer."""

MAX_MEASURES: Final = 10
MAX_GROUPED_BY: Final = 3

_KEPT: Final = 256
_UNITS: Final = {"day": "YYYY-MM-DD", "month": "YYYY-MM", "year": "YYYY"}
_TIMES: Final = ("created_at", "updated_at")
MEASURED: Final = ("sum", "avg", "min", "max")

_STATEMENT: Final = """
WITH matched (_id{columns}) AS ({rows} LIMIT {cap}),
     grouped AS MATERIALIZED (SELECT count(*) AS _rows{aggregates}{groups} FROM matched{grouping})
SELECT (SELECT coalesce(json_agg({answer}), '[]')::text
        FROM (SELECT * FROM grouped ORDER BY _rows DESC{groups} LIMIT {shown}) AS grouped),
       (SELECT count(*) FROM grouped),
       (SELECT coalesce(sum(_rows), 0) FROM grouped)
"""


@dataclass(frozen=True, slots=True)
class Grouping:
    """What rows are grouped by: its name, and the value of `data` that it is, if it is one."""

    name: str
    described: Property | None = None
    kept_since: int = 0
    """Since which version of its type's schema shares keep the value; 0 where they do not."""

    def expression(self) -> Combinable:
        """Return the SQL of the value."""
        if self.described is None:
            return _GROUPS[self.name]()
        return self._shown(value_of(self.described))

    def in_shares(self) -> Combinable | None:
        """Return the SQL of the value over shares, or None where they do not have it."""
        if self.described is None:
            return _GROUPS_IN_SHARES[self.name]() if self.name in _GROUPS_IN_SHARES else None
        return self._shown(value_in_shares(self.described, since=self.kept_since)) if self.kept_since else None

    def _shown(self, value: Combinable) -> Combinable:
        return Rfc3339(value) if self.described and self.described.kind is Kind.TIME else value


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured in each group: `count`, or a function over a value."""

    name: str
    function: str
    described: Property | None = None
    kept_since: int = 0
    """As above."""

    def expression(self) -> Combinable:
        """Return the SQL of the value that the function takes."""
        return value_of(self.described) if self.described is not None else F(self.name.partition(":")[2])

    def in_shares(self) -> Combinable | None:
        """Return the SQL of the value over shares, or None where they do not have it."""
        if self.described is None:
            path = IN_SHARES.get(self.name.partition(":")[2])
            return F(path) if path else None
        return value_in_shares(self.described, since=self.kept_since) if self.kept_since else None

    def aggregate(self, column: str) -> str:
        """Return the SQL of the function over the column; without the zeros that an average ends in."""
        whole = f"{self.function}({column})"
        if self.function == "avg":
            return f"trim_scale({whole})"
        if self.described is None or self.described.kind is Kind.TIME:
            return f"""to_char({whole} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        return whole


@dataclass(frozen=True, slots=True)
class Answer:
    """The groups as JSON, how many there are, and whether all are shown."""

    raw: bytes
    groups: int

    @property
    def is_cut(self) -> bool:
        return self.groups > MAX_GROUPS


def aggregate(question: Question, groups: tuple[str, ...], measures: tuple[str, ...]) -> Answer:
    """Return the measures of each group of what the caller may read; raises `ValidationFailed`."""
    grouped = tuple(grouping(name, question) for name in groups)
    measured = tuple(measure(name, question) for name in measures)
    raw, number, read = _fetched(question.listed, grouped, measured, question.values)
    if not int(read or 0) and question.listed.is_search:
        # As in the list: where nothing has the words, names that are alike.
        raw, number, read = _fetched(question.of_alike_names().listed, grouped, measured, question.values)
    if int(read or 0) > MAX_ROWS and "tag" not in groups:
        message = f"This would read more than {MAX_ROWS:,} resources; filter further."
        raise ValidationFailed.of(None, "too_many_rows", message)
    return Answer(raw or b"[]", int(number or 0))


def _fetched(
    listed: ListShape, groups: tuple[Grouping, ...], measures: tuple[Measure, ...], values: dict[str, Any]
) -> tuple[Any, Any, Any]:
    """Return the groups, how many there are, and how many rows were read for them."""
    row = statement(listed, groups, measures).fetch(values)
    return (row[0], row[1], row[2]) if row else (b"[]", b"0", b"0")


@lru_cache(maxsize=_KEPT)
def statement(listed: ListShape, groups: tuple[Grouping, ...], measures: tuple[Measure, ...]) -> Statement:
    """Return the statement that answers for the groups, of which the list says what is read."""
    values = [measure for measure in measures if measure.name != COUNT]
    group_columns = [f"_group{place}" for place in range(len(groups))]
    value_columns = [f"_value{place}" for place in range(len(values))]
    asked: list[Grouping | Measure] = [*groups, *values]
    in_shares = [found for one in asked if (found := one.in_shares()) is not None]
    aggregates = [
        f"{measure.aggregate(column)} AS {column}" for measure, column in zip(values, value_columns, strict=True)
    ]
    return Statement(
        _STATEMENT,
        rows=plans.matching_parts(
            listed, [one.expression() for one in asked], in_shares if len(in_shares) == len(asked) else None
        ),
        cap=Fragment(str(MAX_ROWS + 1)),
        shown=Fragment(str(MAX_GROUPS)),
        columns=_listed([*group_columns, *value_columns]),
        aggregates=_listed(aggregates),
        groups=_listed(group_columns),
        grouping=Fragment(f" GROUP BY {', '.join(group_columns)}" if groups else ""),
        answer=_answer(groups, group_columns, measures, value_columns),
    )


def _listed(parts: list[str]) -> Fragment:
    return Fragment("".join(f", {part}" for part in parts))


def _answer(
    groups: tuple[Grouping, ...], group_columns: list[str], measures: tuple[Measure, ...], value_columns: list[str]
) -> Fragment:
    """Return the JSON of one group; the names are the client's own words and stand there as constants."""
    columns = iter(value_columns)
    shown = [(measure.name, "_rows" if measure.name == COUNT else next(columns)) for measure in measures]
    group = _object([(one.name, column) for one, column in zip(groups, group_columns, strict=True)])
    members = _object(shown)
    return Fragment(
        f"json_build_object('group', {group.text}, {members.text.removeprefix('json_build_object(')}",
        (*group.parameters, *members.parameters),
    )


def _object(members: list[tuple[str, str]]) -> Fragment:
    text = ", ".join(f"%s, {column}" for _, column in members)
    return Fragment(f"json_build_object({text})", tuple(name for name, _ in members))


def grouping(name: str, question: Question) -> Grouping:
    """Return what the name groups by; raises `ValidationFailed`."""
    if not name.startswith(PREFIX):
        if name not in _GROUPS:
            raise _refused("group", "unknown", f"Unknown: {name[:100]}. Known: {', '.join(_GROUPS)}, data.<path>.")
        return Grouping(name)
    kind, described = _described(name, question, "group")
    if not (described.kind.is_single and kind.is_wanted(described.path)):
        raise _refused("group", "not_indexed", f"{name} is grouped by when the schema says `x-index` there.")
    return Grouping(name, described, kind.kept_since(described.path))


def measure(name: str, question: Question) -> Measure:
    """Return what the name measures; raises `ValidationFailed`."""
    if name == COUNT:
        return Measure(name, COUNT)
    function, _, path = name.partition(":")
    if function not in MEASURED:
        raise _refused("measures", "unknown", f"Give count, or {', '.join(MEASURED)} with a path: sum:data.total.")
    is_of_order = function in {"min", "max"}
    if path in _TIMES and is_of_order:
        return Measure(name, function)
    if not path.startswith(PREFIX):
        raise _refused("measures", "unknown", f"Unknown: {path[:100]}.")
    kind, described = _described(path, question, "measures")
    comparable = described.kind.is_single and described.kind is not Kind.FLAG
    if not (described.kind.is_number or (is_of_order and comparable)):
        raise _refused("measures", "wrong_type", f"{function} is not for the values of {path}.")
    return Measure(name, function, described, kind.kept_since(described.path))


def _described(name: str, question: Question, parameter: str) -> tuple[QueriedType, Property]:
    if question.kind is None:
        raise _refused("type", "required", "What is asked of data needs a type.")
    described = question.kind.find(name, question.caller)
    if described is None:
        raise _refused(parameter, "unknown", f"Unknown: {name[:100]}.")
    return question.kind, described


def _refused(parameter: str, code: str, message: str) -> ValidationFailed:
    return ValidationFailed.of(parameter, code, message)


class _Calendar(Func):
    """The day, month or year of a time, in UTC."""

    output_field = TextField()

    def __init__(self, path: str, unit: str) -> None:
        super().__init__(F(path), template=f"to_char(%(expressions)s AT TIME ZONE 'UTC', '{_UNITS[unit]}')")


def _column(path: str) -> Callable[[], Combinable]:
    return lambda: F(path)


def _calendar(path: str, unit: str) -> Callable[[], Combinable]:
    return lambda: _Calendar(path, unit)


_GROUPS: Final[dict[str, Callable[[], Combinable]]] = {
    "type": _column("type_id"),
    "status": _column("status"),
    "visibility": _column("visibility"),
    "owner": _column("owner_id"),
    "tag": lambda: Func(F("tags"), function="unnest", output_field=TextField()),
    **{f"{path}:{unit}": _calendar(path, unit) for path in _TIMES for unit in _UNITS},
}
"""What can be grouped by besides data; a resource counts once for each of its tags."""

_GROUPS_IN_SHARES: Final[dict[str, Callable[[], Combinable]]] = {
    "type": _column(IN_SHARES["type_id"]),
    "status": status_in_shares,
    "visibility": _column(IN_SHARES["visibility"]),
    "owner": _column(IN_SHARES["owner_id"]),
    **{f"created_at:{unit}": _calendar(IN_SHARES["created_at"], unit) for unit in _UNITS},
}
"""Those that shares answer."""
