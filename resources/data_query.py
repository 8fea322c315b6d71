"""Filters and sorts over `data`: parameters such as `data.total__gt`, read by the schema of the type they ask about.

What a schema does not describe, what is encrypted and what the caller may not read are refused alike. What no index
serves is run on small types alone: a type that has grown asks for `x-index`.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

import orjson
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, TextField
from django.db.models.functions import JSONArray

from core.errors import Detail, ValidationFailed
from core.permissions import Caller
from core.plans import Fragment, Slot, Statement
from resources.access import Asker
from resources.data_values import AS_INDEXED, COMPARISONS, Place
from resources.keywords.field_rules import hidden_paths
from resources.models import IndexState, Resource, ResourceType, TypeIndex
from resources.schemas import compiled
from resources.schemas.compiled import Schema
from resources.schemas.values import Kind, Property, WrongType, cast
from resources.share_values import Plan

PREFIX: Final = "data."
MAX_FILTERS: Final = 20
MAX_VALUES: Final = 100
"""How many values `in` takes."""

SMALL: Final = 10_000
"""Up to how many live resources a type is small: all of them are read in a few milliseconds."""

SHORTEST_PART: Final = 3
"""How long the part of a text is that an index of three letters each can find."""

_RANGES: Final = ("gt", "gte", "lt", "lte")
_OPERATORS: Final = (*_RANGES, "ne", "in", "contains", "isnull")
_EQUAL: Final = "eq"
_BY_CONTAINMENT: Final = frozenset({Kind.TEXT, Kind.DATE, Kind.UUID, Kind.INTEGER, Kind.NUMBER, Kind.FLAG})
"""Kinds whose equal values are equal JSON; a UUID is looked for in both spellings."""


@dataclass(frozen=True, slots=True)
class DataFilter:
    """One condition over `data`; what it compares with stands in the slots, of which any one serves."""

    described: Property
    comparison: str
    slots: tuple[str, ...]

    def condition(self, place: Place) -> Q:
        """Return the condition, with its values in their places."""
        compare = COMPARISONS[self.comparison]
        return reduce(or_, (compare(self.described, slot, place) for slot in self.slots))

    @property
    def is_of_indexed(self) -> bool:
        """Return whether what an index holds of the value is all that is looked at."""
        return self.comparison in AS_INDEXED and self.described.kind.is_single


@dataclass(frozen=True, slots=True)
class QueriedType:
    """A type as queries need it: its schema as it is now, and the indexes that it has or is about to have."""

    key: str
    schema: Schema
    indexes: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """The state of each index by path."""

    share_plan: Plan | None = None
    """Which values the shares keep too."""

    def find(self, name: str, caller: Caller) -> Property | None:
        """Return the property of that name (`data.total`), or None where there is none that the caller may ask for."""
        described = self.schema.property_named(name.removeprefix(PREFIX))
        if described is None or self._is_closed(described.path, caller):
            return None
        return described

    def is_wanted(self, path: tuple[str, ...]) -> bool:
        """Return whether the schema asks for an index there."""
        return path in self.schema.keywords.index

    def is_ready(self, path: tuple[str, ...]) -> bool:
        return self.is_wanted(path) and self.indexes.get(path) == IndexState.READY

    def kept_since(self, path: tuple[str, ...]) -> int:
        """Return since which version of the schema shares keep the value there; 0 where they do not."""
        return self.share_plan["since"] if self.share_plan and list(path) in self.share_plan["paths"] else 0

    def all_kept_since(self, filters: Sequence[DataFilter], by: Property | None) -> int:
        """Return since which version of the schema shares keep all that is looked at; 0 where they lack something."""
        looked_at = [one.described for one in filters] + ([by] if by else [])
        if not all(one.is_of_indexed for one in filters):
            return 0
        return min((self.kept_since(one.path) for one in looked_at), default=0)

    def is_small(self) -> bool:
        """Return whether every resource of the type may be looked at."""
        row = _count_statement(SMALL + 1).fetch({"type": self.key})
        return row is not None and int(row[0] or 0) <= SMALL

    def _is_closed(self, path: tuple[str, ...], caller: Caller) -> bool:
        """Return whether the path leads into what is encrypted, or what the caller may not read in every row."""
        keywords = self.schema.keywords
        closed = (*keywords.encrypted, *hidden_paths(Asker.of(caller), keywords))
        return any(path[: len(one)] == one for one in closed)


def queried_type(key: str) -> QueriedType | None:
    """Return the type as it is now, or None where there is none."""
    row = _type_statement().fetch({"key": key})
    if row is None or row[0] is None or row[1] is None:
        return None
    indexes = {tuple(path): state for path, state in orjson.loads(row[2] or b"[]")}
    plan = orjson.loads(row[3]) if row[3] else None
    return QueriedType(key, compiled(UUID(row[0].decode()), int(row[1])), indexes, plan)


def filters_of(
    kind: QueriedType, given: Mapping[str, str], caller: Caller
) -> tuple[tuple[DataFilter, ...], dict[str, Any]]:
    """Return the filters that the parameters say, and what fills their slots; raises `ValidationFailed`."""
    filters: list[DataFilter] = []
    values: dict[str, Any] = {}
    faults: list[Detail] = []
    for place, (name, text) in enumerate(sorted(given.items())):
        try:
            made, slots = _Reading(kind, name, text, caller, f"data{place}").filter()
        except ValidationFailed as fault:
            faults.extend(fault.details)
            continue
        filters.append(made)
        values.update(slots)
    if faults:
        raise ValidationFailed(details=faults)
    return tuple(filters), values


def sorted_property(kind: QueriedType, name: str, caller: Caller) -> Property:
    """Return the property that a list is sorted by; raises `ValidationFailed` where it has no index to stand on."""
    described = kind.find(name, caller)
    if described is None:
        raise _fault("sort", "unknown", f"Unknown: {name[:100]}.")
    if not (described.kind.is_single and kind.is_wanted(described.path)):
        raise _fault("sort", "not_indexed", f"{name} is sorted by when the schema says `x-index` there.")
    _require_ready(kind, described, "sort")
    return described


def unknown_type(parameter: str = "type") -> ValidationFailed:
    """Return the refusal of a type that there is not."""
    return _fault(parameter, "does_not_exist", "There is no such resource type.")


class _Reading:
    """The reading of one parameter."""

    def __init__(self, kind: QueriedType, name: str, text: str, caller: Caller, slot: str) -> None:
        self._kind = kind
        self._name = name
        self._text = text
        self._slot = slot
        self._described, self._operator = self._parted(caller)

    def filter(self) -> tuple[DataFilter, dict[str, Any]]:
        """Return the filter and its values; raises `ValidationFailed` with the name of the parameter."""
        if self._operator == "isnull":
            return self._null()
        if self._operator == "contains":
            return self._part()
        if not self._described.kind.is_single:
            raise self._refused("wrong_type", "A list takes `contains` and `isnull`, an object `isnull`.")
        if self._operator in _RANGES:
            if not self._kind.is_wanted(self._described.path):
                raise self._refused("not_indexed", "A range needs `x-index` in the schema of the type.")
            self._require_index()
            return self._by(self._operator, self._cast(self._text))
        if self._operator == "ne":
            self._require_index()
            return self._by("ne", self._cast(self._text))
        return self._equal()

    def _parted(self, caller: Caller) -> tuple[Property, str]:
        """Return the property and the operator; a name that ends like an operator is the name first of all."""
        described = self._kind.find(self._name, caller)
        if described is not None:
            return described, _EQUAL
        name, _, operator = self._name.rpartition("__")
        described = self._kind.find(name, caller) if operator in _OPERATORS else None
        if described is None:
            raise self._refused("unknown_parameter", "There is no such parameter.")
        return described, operator

    def _equal(self) -> tuple[DataFilter, dict[str, Any]]:
        kind = self._described.kind
        values = self._listed() if self._operator == "in" else [self._cast(self._text)]
        if kind is Kind.UUID:
            values = [spelling for value in values for spelling in (value, value.upper())]
        if kind in _BY_CONTAINMENT and not self._kind.is_ready(self._described.path):
            return self._contained([_json(value) for value in values])
        if kind is Kind.TIME:
            self._require_index()
        return self._by("in", values) if len(values) > 1 else self._by(_EQUAL, values[0])

    def _part(self) -> tuple[DataFilter, dict[str, Any]]:
        """Return the filter for an element of a list, or for a part of a text in upper or lower case."""
        if self._described.kind is Kind.LIST:
            items = self._described.items
            if items is Kind.TIME or not items.is_single:
                raise self._refused("wrong_type", "The items of this list cannot be looked for.")
            value = self._cast(self._text, items)
            spellings = [value, value.upper()] if items is Kind.UUID else [value]
            return self._contained([f"[{_json(spelling)}]" for spelling in spellings])
        if self._described.kind is not Kind.TEXT:
            raise self._refused("wrong_type", "`contains` is for texts and lists.")
        if len(self._text) < SHORTEST_PART:
            raise self._refused("min_length", f"Give at least {SHORTEST_PART} characters.")
        self._require_index()
        part = self._cast(self._text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return self._by("part", f"%{part}%")

    def _null(self) -> tuple[DataFilter, dict[str, Any]]:
        if self._text not in {"true", "false"}:
            raise self._refused("wrong_type", "Give true or false.")
        self._require_index()
        return DataFilter(self._described, "absent" if self._text == "true" else "present", (self._slot,)), {}

    def _contained(self, values: list[str]) -> tuple[DataFilter, dict[str, Any]]:
        """Return the filter for data that contains one of the values; their number is rounded up, for few shapes."""
        while len(values) & (len(values) - 1):
            values.append(values[-1])
        documents = [_nested(self._described.path, value) for value in values]
        slots = {f"{self._slot}_{place}": document for place, document in enumerate(documents)}
        return DataFilter(self._described, "contained", tuple(slots)), slots

    def _by(self, comparison: str, value: Any) -> tuple[DataFilter, dict[str, Any]]:
        return DataFilter(self._described, comparison, (self._slot,)), {self._slot: value}

    def _listed(self) -> list[Any]:
        """Return the values of `in`: commas part them, quotes keep a comma."""
        try:
            texts = next(csv.reader([self._text], strict=True), None) or [""]
        except csv.Error:
            raise self._refused("invalid", "Give values with commas between them.") from None
        if len(texts) > MAX_VALUES:
            raise self._refused("max_length", f"Give at most {MAX_VALUES} values.")
        return [self._cast(text) for text in texts]

    def _cast(self, text: str, kind: Kind | None = None) -> Any:
        try:
            return cast(text, kind or self._described.kind)
        except WrongType as fault:
            raise self._refused("wrong_type", str(fault)) from None

    def _require_index(self) -> None:
        _require_ready(self._kind, self._described, self._name)

    def _refused(self, code: str, message: str) -> ValidationFailed:
        return _fault(self._name[:100], code, message)


def _require_ready(kind: QueriedType, described: Property, parameter: str) -> None:
    """Raise `ValidationFailed` where no index serves and the type has too many resources to look at each."""
    if kind.is_ready(described.path) or kind.is_small():
        return
    if kind.is_wanted(described.path):
        message = f"The index of {described.name} is not ready; ask again in a while."
        raise _fault(parameter, "index_not_ready", message)
    message = f"Of more than {SMALL:,} resources this needs `x-index` in the schema of the type."
    raise _fault(parameter, "not_indexed", message)


def _json(value: Any) -> str:
    """Return the value as JSON, numbers digit by digit."""
    if isinstance(value, bool | str):
        return orjson.dumps(value).decode()
    return str(value)


def _nested(path: tuple[str, ...], value: str) -> str:
    """Return the JSON that holds the value at the path and nothing else."""
    for name in reversed(path):
        value = f"{{{_json(name)}:{value}}}"
    return value


def _fault(parameter: str, code: str, message: str) -> ValidationFailed:
    return ValidationFailed.of(parameter, code, message)


@lru_cache(maxsize=1)
def _type_statement() -> Statement:
    states = TypeIndex.objects.filter(type=OuterRef("pk")).values_list(JSONArray("path", "state"))
    kinds = ResourceType.objects.filter(key=Slot("key", TextField()))
    columns = kinds.values_list("id", "schema_version", ArraySubquery(states), "share_plan")
    template = "SELECT id, number, to_json(states)::text, plan::text FROM ({kinds}) AS kind (id, number, states, plan)"
    return Statement(template, kinds=Fragment.of(columns))


@lru_cache(maxsize=4)
def _count_statement(most: int) -> Statement:
    """Return the statement that counts the live resources of a type, so many at most."""
    rows = Resource.objects.filter(type_id=Slot("type", TextField())).order_by().values_list("id")
    limit = Fragment(str(most))
    return Statement("SELECT count(*) FROM ({rows} LIMIT {limit}) AS rows", rows=Fragment.of(rows), limit=limit)
