"""Strict query strings: a parameter that is unknown, given twice or out of bounds is refused.

A list view's query is `class UserQuery(SortedQuery, PagedQuery): ...` with one serializer field per filter, and
`trimmed(UserQuery, UserShape)` what it reads: every list takes `fields`.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, ClassVar, Final

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from core.api.fields import CommaSeparatedField
from core.api.serializers import StrictSerializer, validate
from core.errors import Detail, ValidationFailed

DEFAULT_PER_PAGE: Final = 20
MAX_PER_PAGE: Final = 100
MAX_WINDOW: Final = 10_000


class Query(StrictSerializer):
    """The parameters that an operation takes; ListField may be repeated, all others stand once."""

    unknown_code = "unknown_parameter"
    unknown_message = "There is no such parameter."

    def dynamic_field(self, name: str) -> "serializers.Field[Any, Any, Any, Any] | None":
        """Return the field of a parameter that cannot be declared (`data.total__gt`), or None if there is none."""
        return None

    def to_internal_value(self, data: Any) -> Any:
        plain, errors = self._read(data)
        value: dict[str, Any] = {}
        try:
            value = serializers.Serializer.to_internal_value(self, plain)
        except ValidationError as error:
            errors = {**(error.detail if isinstance(error.detail, dict) else {}), **errors}
        for name in set(data) - set(self.fields):
            self._read_dynamic(name, data.getlist(name), value, errors)
        if errors:
            raise ValidationError(errors)
        return value

    def _read(self, data: QueryDict) -> tuple[dict[str, Any], dict[str, Any]]:
        plain: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field in self.fields.items():
            values = data.getlist(name)
            if isinstance(field, serializers.ListField):
                plain.update({name: values} if values else {})
            elif len(values) == 1:
                plain[name] = values[0]
            elif values:
                errors[name] = [_REPEATED]
        return plain, errors

    def _read_dynamic(self, name: str, values: list[str], value: dict[str, Any], errors: dict[str, Any]) -> None:
        field = self.dynamic_field(name)
        if field is None:
            errors[name[:100]] = [ErrorDetail(self.unknown_message, code=self.unknown_code)]
        elif len(values) > 1:
            errors[name] = [_REPEATED]
        else:
            try:
                value[name] = field.run_validation(values[0])
            except ValidationError as error:
                errors[name] = error.detail


_LONGEST_REMEMBERED: Final = 300
_REMEMBERED_AT_MOST: Final = 1000
_remembered: Final[dict[tuple[type["Query"], str], dict[str, Any]]] = {}

_REPEATED: Final = ErrorDetail("Give this parameter once.", code="repeated")


class PagedQuery(Query):
    """`page` and `per_page`, or `cursor`."""

    page = serializers.IntegerField(min_value=1, max_value=2**31, required=False, help_text="Page number, from 1.")
    per_page = serializers.IntegerField(
        min_value=1, max_value=MAX_PER_PAGE, default=DEFAULT_PER_PAGE, help_text="Rows on a page, 1 to 100."
    )
    cursor = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=4000,
        help_text="Empty to start; then `meta.next_cursor` or `meta.previous_cursor`.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "cursor" in attrs and "page" in attrs:
            raise ValidationError({"page": [ErrorDetail("Give page or cursor, not both.", code="conflict")]})
        if attrs.get("page", 1) * attrs["per_page"] > MAX_WINDOW:
            message = f"Pages end at {MAX_WINDOW} rows; use cursor to read further."
            raise ValidationError({"page": [ErrorDetail(message, code="max_value")]})
        return attrs


class SortedQuery(Query):
    """`sort=-created_at,name` over the names in `sortable`."""

    sortable: ClassVar[frozenset[str]] = frozenset()

    sort = CommaSeparatedField(
        required=False, max_length=200, help_text="Names to sort by; `-` before one reverses it."
    )

    def validate_sort(self, names: tuple[str, ...]) -> tuple[str, ...]:
        _refuse_unknown((name.removeprefix("-") for name in names), self.sortable)
        if len({name.removeprefix("-") for name in names}) != len(names):
            raise ValidationError("Give each name once.", code="repeated")
        return names


class CreatedQuery(SortedQuery, PagedQuery):
    """Of a list that is in the order in which its items were made: `sort` turns it round."""

    sortable = frozenset({"created_at"})


class LoggedQuery(SortedQuery, PagedQuery):
    """Of events, which are in the order of the log."""

    sortable = frozenset({"occurred_at"})


class FieldsQuery(Query):
    """`fields=id,name,data.price` over the names in `selectable` (`data.*` allows any path below `data`)."""

    selectable: ClassVar[frozenset[str]] = frozenset()

    fields = CommaSeparatedField(  # type: ignore[assignment]  # the metaclass takes it; the property stays
        required=False, max_length=1000, help_text="Which fields each item carries, by dotted path."
    )

    def validate_fields(self, names: tuple[str, ...]) -> tuple[str, ...]:
        open_roots = tuple(name.removesuffix("*") for name in self.selectable if name.endswith(".*"))
        _refuse_unknown((name for name in names if not name.startswith(open_roots or ("\n",))), self.selectable)
        return names


@cache
def trimmed(query: type[PagedQuery], shape: type[serializers.Serializer[Any]]) -> type[PagedQuery]:
    """Return the query with `fields` over everything that an item of this shape has."""
    return type(query.__name__, (FieldsQuery, query), {"selectable": frozenset(_names_of(shape()))})


def _names_of(shape: serializers.Serializer[Any], prefix: str = "") -> Iterator[str]:
    for name, field in shape.fields.items():
        yield f"{prefix}{name}"
        if isinstance(field, serializers.Serializer):
            yield from _names_of(field, f"{prefix}{name}.")
        elif isinstance(field, serializers.DictField | serializers.JSONField):
            yield f"{prefix}{name}.*"


class IncludeQuery(Query):
    """`include=owner,files` over the names in `includable`."""

    includable: ClassVar[frozenset[str]] = frozenset()

    include = CommaSeparatedField(required=False, max_length=200, help_text="What each item embeds.")

    def validate_include(self, names: tuple[str, ...]) -> tuple[str, ...]:
        _refuse_unknown(names, self.includable)
        return names


class NoParameters(Query):
    """The query of an operation that takes none."""


def parse_query(query_class: type[Query], request: Request) -> dict[str, Any]:
    """Return the validated parameters of the request, or raise `ValidationFailed`.

    What a query string means depends on nothing else, so the latest sound ones are remembered: reading even an
    empty one field by field costs as much as a small read of the database.
    """
    key = (query_class, request.META.get("QUERY_STRING", ""))
    known = _remembered.get(key)
    if known is not None:
        return dict(known)
    parameters = request.query_params
    if any("\x00" in name for name in parameters):
        raise ValidationFailed(details=[Detail(None, "unknown_parameter", "There is no such parameter.")])
    value = validate(query_class, parameters, request=request)
    if len(key[1]) <= _LONGEST_REMEMBERED:
        if len(_remembered) >= _REMEMBERED_AT_MOST:
            _remembered.clear()
        _remembered[key] = value
    return dict(value)


def trim(item: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the item with only the named fields; a dotted name keeps that path of a nested object."""
    kept: dict[str, Any] = {}
    for name in names:
        _copy_path(item, kept, name.split("."))
    return kept


def _copy_path(source: dict[str, Any], target: dict[str, Any], path: list[str]) -> None:
    name, *rest = path
    if name not in source:
        return
    if not rest:
        target[name] = source[name]
    elif isinstance(source[name], dict):
        inner = target.setdefault(name, {})
        if inner is not source[name]:
            _copy_path(source[name], inner, rest)


def _refuse_unknown(names: Iterable[str], known: frozenset[str]) -> None:
    unknown = sorted(name[:100] for name in names if name not in known)
    if unknown:
        raise ValidationError(f"Unknown: {', '.join(unknown)}. Known: {', '.join(sorted(known))}.", code="unknown")
