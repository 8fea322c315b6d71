"""Questions: what is asked of resources, checked apart from being answered.

The list, the aggregates, exports and saved views all ask in the parameters of `GET /resources`. Whoever keeps a
question keeps those parameters, as they came, and nothing that was made of them:

    parameters = {"type": ["invoice"], "data.total__gt": ["100"], "sort": ["-created_at"]}
    query = read_parameters(parameters)      # ValidationFailed for what is no question at all
    question = Question.of(caller, query)    # ValidationFailed for what the type's schema, or its indexes, refuse
    for resource in question.iterate(): ...  # what the caller may read now, by a cursor of the server

A question is of one caller at one moment: make it anew when it is asked again, so that it follows shares, roles and
schemas. `question.rows()` is an ordinary queryset (`values_list(...)`, `count()`); `question.listed` and
`question.values` are what a plan takes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.utils.datastructures import MultiValueDict

from core.api.pagination import SortKey, sort_keys
from core.api.query import DEFAULT_PER_PAGE
from core.api.serializers import validate
from core.errors import Detail, NotAuthenticated, ValidationFailed
from core.permissions import Caller
from resources import plans
from resources.access import Asker, Level
from resources.data_query import QueriedType, filters_of, queried_type, sorted_property, unknown_type
from resources.data_values import given
from resources.models import Resource, ResourceQuerySet, form_for
from resources.parameters import LEVELS, ME, FilteredQuery, ListQuery, data_parameters, sort_over_data
from resources.query import FILTERS, RANK, SORTS
from resources.shapes import ListShape, Shape, asked_by

NEWEST_FIRST: Final = ("-created_at",)
BEST_FIRST: Final = (f"-{RANK}",)

_AT_ONCE: Final = 2_000


def read_parameters(
    parameters: Mapping[str, Sequence[str]], query_class: type[FilteredQuery] = ListQuery
) -> dict[str, Any]:
    """Return the parameters of a query string, read; raises `ValidationFailed`."""
    if any("\x00" in name for name in parameters):
        raise ValidationFailed(details=[Detail(None, "unknown_parameter", "There is no such parameter.")])
    return validate(query_class, MultiValueDict({name: list(values) for name, values in parameters.items()}))


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller asks of the resources, ready to be answered."""

    caller: Caller
    listed: ListShape
    values: dict[str, Any]
    """What fills the slots of the list's plans."""
    kind: QueriedType | None = None
    """The type that is asked about, where `data` is."""

    @classmethod
    def of(
        cls, caller: Caller, query: dict[str, Any], *, in_bin: bool = False, asks_of_data: bool = False
    ) -> "Question":
        """Return the question that the parameters say, asked by `caller`; raises `ValidationFailed`.

        `asks_of_data`: whether it is about `data` beyond its filters and its order.
        """
        kind = _type_asked_about(query, in_bin=in_bin, asks_of_data=asks_of_data)
        asked = {name: query[name] for name in data_parameters(query)}
        data, values = filters_of(kind, asked, caller) if kind else ((), {})
        by = sort_over_data(query)
        sorted_by = sorted_property(kind, by, caller) if kind and by else None
        listed = ListShape(
            shape_for(caller, query, in_bin=in_bin),
            _order(query),
            query.get("per_page", DEFAULT_PER_PAGE),
            frozenset(name for name in FILTERS if name in query and (kind is None or name != "type")),
            "q" in query,
            access=LEVELS[query["access"]] if "access" in query else Level.NONE,
            type_key=kind.key if kind else "",
            data=data,
            kept_since=kind.all_kept_since(data, sorted_by) if kind else 0,
            by=sorted_by,
        )
        return cls(caller, listed, {**_values(caller, query), **values}, kind)

    def of_alike_names(self) -> "Question":
        """Return the same question of names that are alike what is searched for: for a search that found nothing."""
        return replace(self, listed=replace(self.listed, alike=True))

    def rows(self) -> ResourceQuerySet:
        """Return what the caller may read of it, in its order."""
        asker = Asker.of(self.caller)
        place = given(self.values)
        rows: ResourceQuerySet = Resource.all_objects.get_queryset()
        rows = rows.in_bin_of(asker) if self.listed.shape.in_bin else rows.visible_to(asker)
        rows = plans.narrowed(rows, asked_by(self.listed, asker), place)
        return plans.in_order(rows, self.listed, place)

    def iterate(self, *, at_once: int = _AT_ONCE) -> Iterator[Resource]:
        """Yield the rows, from a cursor of the server: memory stays flat, however many there are."""
        yield from self.rows().iterator(chunk_size=at_once)


def shape_for(caller: Caller, query: dict[str, Any], *, in_bin: bool = False) -> Shape:
    """Return the shape of what this caller asks."""
    asker = plans.slotted(caller.permissions, caller.is_anonymous)
    return Shape(asker, form_for(asker), query.get("fields", ()), query.get("include", ()), in_bin)


def _type_asked_about(query: dict[str, Any], *, in_bin: bool, asks_of_data: bool) -> QueriedType | None:
    """Return the type, where the question is about its data."""
    name = next(data_parameters(query), "sort" if sort_over_data(query) else None)
    if name is None and not (asks_of_data and "type" in query):
        return None
    if in_bin:
        raise ValidationFailed.of((name or "type")[:100], "unknown_parameter", "The bin is not asked about data.")
    kind = queried_type(query["type"])
    if kind is None:
        raise unknown_type()
    return kind


def _order(query: dict[str, Any]) -> tuple[SortKey, ...]:
    names = query.get("sort") or (BEST_FIRST if "q" in query else NEWEST_FIRST)
    by = sort_over_data(query)
    return sort_keys(names, SORTS if by is None else {by: by})


def _values(caller: Caller, query: dict[str, Any]) -> dict[str, Any]:
    per_page = query.get("per_page", DEFAULT_PER_PAGE)
    values = {**query, "user": caller.id, "role": caller.role}
    values["offset"] = (query.get("page", 1) - 1) * per_page
    if query.get("owner") == ME:
        if caller.is_anonymous:
            raise NotAuthenticated
        values["owner"] = caller.id
    return values
