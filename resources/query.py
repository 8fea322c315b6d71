"""What a list can be asked for, as conditions and sort keys of a queryset whose values stand in slots."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVectorField
from django.db.models import (
    BooleanField,
    Case,
    DateTimeField,
    F,
    Field,
    FloatField,
    Func,
    IntegerField,
    Q,
    TextField,
    UUIDField,
    When,
)
from django.db.models.expressions import Combinable, RawSQL
from django.db.models.functions import Cast

from core.api.pagination import SortKey
from core.plans import Slot
from resources.data_values import Place

TEXT: "Final[Field[Any, Any]]" = TextField()
TIME: "Final[Field[Any, Any]]" = DateTimeField()
IDENTIFIER: "Final[Field[Any, Any]]" = UUIDField()
TEXTS: "Final[Field[Any, Any]]" = ArrayField(TextField())
NUMBER: "Final[Field[Any, Any]]" = FloatField()
WHOLE: "Final[Field[Any, Any]]" = IntegerField()

CONFIGURATION: Final = "nook"
"""Our text search configuration: no stemming, no accents."""


def _condition(lookup: str, field: "Field[Any, Any]") -> Callable[[str, Place], Q]:
    return lambda name, place: Q(**{lookup: place(name, field)})


FILTERS: Final[dict[str, Callable[[str, Place], Q]]] = {
    "type": _condition("type_id", TEXT),
    "status": _condition("status", TEXT),
    "visibility": _condition("visibility", TEXT),
    "owner": _condition("owner_id", IDENTIFIER),
    "tag": _condition("tags__contains", TEXTS),
    "external_id": _condition("external_id", TEXT),
    "created_after": _condition("created_at__gt", TIME),
    "created_before": _condition("created_at__lt", TIME),
    "updated_after": _condition("updated_at__gt", TIME),
    "updated_before": _condition("updated_at__lt", TIME),
}
"""The filters by parameter name; each value stands in the place of that name."""

RANK: Final = "rank"
SORTS: Final[dict[str, str]] = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "name": "name",
    "status": "status",
    RANK: RANK,
}
"""The sorts by parameter name; all but `rank` stand on an index that ends in `id`."""

KEY_FIELDS: "Final[dict[str, Field[Any, Any]]]" = {
    "created_at": TIME,
    "updated_at": TIME,
    "name": TEXT,
    "status": TEXT,
    RANK: NUMBER,
    "pk": IDENTIFIER,
}
"""What a cursor's values are, by the path of the sort key."""


# Null while some type's vectors may hold a value that its schema has closed since; asked once in a statement. The
# planner takes such a test, of no column, for almost always true: plans are those of a search without it.
_IS_IN_STEP: Final = "(SELECT true WHERE NOT EXISTS (SELECT FROM schema_followings WHERE is_closing)) IS NOT NULL"
_CLOSING: Final = "(SELECT array_agg(type::text) FROM schema_followings WHERE is_closing)::text[]"
_SEARCHED: Final = tuple(map(F, ("type_id", "name", "description", "tags", "data")))


def words(place: Place = Slot) -> SearchQuery:
    """Return the full-text query that the place `q` holds (websearch syntax)."""
    return SearchQuery(place("q", TEXT), config=CONFIGURATION, search_type="websearch")


def matches(place: Place = Slot, *, alike: bool) -> Q:
    """Return the condition of a search: the words of `q`, or a name that is alike, typing errors and all."""
    if alike:
        return Q(name__trigram_word_similar=place("q", TEXT))
    # By the vector, for its index; and by the record itself where the vector may hold what has been closed since.
    anew = Func(words(place), *_SEARCHED, function="nook_finds_anew", output_field=BooleanField())
    return Q(search=words(place)) & (_is_in_step() | ~_is_closing() | Q(anew))


def rank(place: Place = Slot, *, alike: bool) -> Combinable:
    """Return how well a row matches. As double, so that a cursor carries it without loss."""
    if alike:
        likeness = Func(place("q", TEXT), F("name"), function="word_similarity", output_field=FloatField())
        return Cast(likeness, FloatField())
    # The order tells of words too.
    vector = Case(
        When(_is_in_step(), then=F("search")),
        When(_is_closing(), then=Func(*_SEARCHED, function="nook_search_anew", output_field=SearchVectorField())),
        default=F("search"),
        output_field=SearchVectorField(),
    )
    return Cast(SearchRank(vector, words(place)), FloatField())


def _is_in_step() -> Q:
    return Q(RawSQL(_IS_IN_STEP, [], BooleanField()))  # noqa: S611  # a constant


def _is_closing() -> Q:
    closing = RawSQL(_CLOSING, [], ArrayField(TextField()))  # noqa: S611  # a constant
    template = "(%(expressions)s))"
    return Q(Func(F("type_id"), closing, template=template, arg_joiner=" = ANY(", output_field=BooleanField()))


def beyond(order: tuple[SortKey, ...], edges: tuple[Slot, ...]) -> Q:
    """Return the condition for rows that come after the edge in this order; no key is ever null.

    The first key is bounded a second time by itself, so that PostgreSQL starts its index there.
    """
    condition, equal = Q(), Q()
    for key, edge in zip(order, edges, strict=True):
        condition |= equal & Q(**{f"{key.path}__{'lt' if key.descending else 'gt'}": edge})
        equal &= Q(**{key.path: edge})
    first = order[0]
    return Q(**{f"{first.path}__{'lte' if first.descending else 'gte'}": edges[0]}) & condition
