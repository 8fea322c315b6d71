"""The query strings of lists of resources; lists, aggregates, exports and saved views read the same ones."""

from collections.abc import Iterator
from typing import Any, Final

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from core.api.query import FieldsQuery, IncludeQuery, PagedQuery, Query, SortedQuery
from resources.access import Level
from resources.data_query import MAX_FILTERS, PREFIX
from resources.query import RANK, SORTS
from resources.representation import FIELDS, HIGHLIGHT, INCLUDES

ME = "me"
SELECTABLE: Final = frozenset({*FIELDS, "data.*", "owner.id", "owner.name"})
LEVELS: Final = {level.label: level for level in Level if level > Level.NONE}

_LONGEST_NAME: Final = 300
_LONGEST_VALUE: Final = 4000


class OwnerField(serializers.CharField):
    """A user's id, or `me`."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        return ME if text == ME else str(serializers.UUIDField().run_validation(text))


class ShownQuery(FieldsQuery, IncludeQuery):
    """What an answer carries."""

    selectable = SELECTABLE
    includable = frozenset(INCLUDES)


class FilteredQuery(Query):
    """The filters. Those over `data` are read by the schema of the type later on: it may change, a query does not."""

    type = serializers.CharField(required=False, max_length=50, help_text="Key of the type.")
    status = serializers.CharField(required=False, max_length=50)
    visibility = serializers.ChoiceField(required=False, choices=["private", "internal", "public"])
    owner = OwnerField(required=False, max_length=36, help_text="A user's id, or `me`.")
    tag = serializers.ListField(
        child=serializers.CharField(max_length=50),
        required=False,
        max_length=20,
        help_text="Repeat it: all must be there.",
    )
    access = serializers.ChoiceField(required=False, choices=list(LEVELS), help_text="The caller's level, exactly.")
    external_id = serializers.CharField(required=False, max_length=200)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    updated_after = serializers.DateTimeField(required=False)
    updated_before = serializers.DateTimeField(required=False)
    q = serializers.CharField(
        required=False,
        max_length=200,
        help_text='Full text: words, "phrases", `or`, `-not`. Found nothing: names that are alike.',
    )

    def dynamic_field(self, name: str) -> "serializers.Field[Any, Any, Any, Any] | None":
        if not name.startswith(PREFIX) or len(name) > _LONGEST_NAME:
            return None
        return serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=_LONGEST_VALUE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        asked = list(data_parameters(attrs))
        if (asked or sort_over_data(attrs)) and "type" not in attrs:
            raise ValidationError({"type": [ErrorDetail("What is asked of data needs a type.", code="required")]})
        if len(asked) > MAX_FILTERS:
            message = f"Give at most {MAX_FILTERS} filters over data."
            raise ValidationError({asked[MAX_FILTERS][:100]: [ErrorDetail(message, code="max_length")]})
        return dict(super().validate(attrs))


class ListQuery(FilteredQuery, SortedQuery, PagedQuery, ShownQuery):
    """Order, pages and filters of a list."""

    selectable = SELECTABLE | {HIGHLIGHT}
    sortable = frozenset(SORTS)

    def validate_sort(self, names: tuple[str, ...]) -> tuple[str, ...]:
        if not any(name.removeprefix("-").startswith(PREFIX) for name in names):
            return super().validate_sort(names)
        if len(names) > 1:
            raise ValidationError("A sort by data stands alone; equal values are in the order of ids.", code="conflict")
        return names

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        names = {name.removeprefix("-") for name in attrs.get("sort", ())}
        if RANK in names and "q" not in attrs:
            raise ValidationError({"sort": [ErrorDetail("A rank needs q.", code="conflict")]})
        if RANK in names and len(names) > 1 and "cursor" not in attrs:
            raise ValidationError({"sort": [ErrorDetail("Pages are sorted by rank alone.", code="conflict")]})
        if HIGHLIGHT in attrs.get("fields", ()) and "q" not in attrs:
            raise ValidationError({"fields": [ErrorDetail("A highlight needs q.", code="conflict")]})
        return super().validate(attrs)


def data_parameters(query: dict[str, Any]) -> Iterator[str]:
    """Yield the parameters that are filters over `data`."""
    return (name for name in query if name.startswith(PREFIX))


def sort_over_data(query: dict[str, Any]) -> str | None:
    """Return the path (`data.total`) that the list is sorted by, if it is sorted by data."""
    name = next(iter(query.get("sort", ())), "").removeprefix("-")
    return name if name.startswith(PREFIX) else None
