"""GET /resources/aggregate: counts and sums over what a list would show."""

from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from core.api.access import PUBLIC
from core.api.envelope import success_json
from core.api.fields import CommaSeparatedField
from core.api.operations import operation
from core.api.query import parse_query
from core.api.views import ApiView
from resources.aggregates import COUNT, MAX_GROUPED_BY, MAX_MEASURES, MEASURED, aggregate
from resources.parameters import FilteredQuery
from resources.questions import Question


class AggregateQuery(FilteredQuery):
    """What is measured, of which groups, of which resources."""

    group = CommaSeparatedField(
        required=False, max_length=300, help_text="What to group by, up to three; without it everything is one group."
    )
    measures = CommaSeparatedField(
        required=False, max_length=1000, help_text="What to measure in each group; `count` unless said otherwise."
    )

    def dynamic_field(self, name: str) -> "serializers.Field[Any, Any, Any, Any] | None":
        """Return the field of a measure that stands by itself, too: `count`, `sum:data.total`, `sum=data.total`."""
        if name in MEASURED:
            return CommaSeparatedField(max_length=300)
        if name == COUNT or name.startswith(tuple(f"{function}:" for function in MEASURED)):
            return serializers.ChoiceField(choices=["true", "1"], allow_blank=True)
        return super().dynamic_field(name)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        alone = [name for name in attrs if name == COUNT or name.partition(":")[0] in MEASURED]
        named = [one for name in alone for one in _measures_of(name, attrs.pop(name))]
        if named:
            try:
                attrs["measures"] = self.validate_measures((*attrs.get("measures", ()), *named))
            except ValidationError as error:
                raise ValidationError({"measures": error.detail}) from None
        return super().validate(attrs)

    def validate_group(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return _few(names, MAX_GROUPED_BY)

    def validate_measures(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return _few(names, MAX_MEASURES)


class GroupShape(serializers.Serializer[Any]):
    """One group: what its rows share, and a member for each measure, named as it was asked for."""

    group = serializers.DictField(child=serializers.JSONField())
    count = serializers.IntegerField(required=False)


class Aggregate(ApiView):
    """Figures about resources."""

    access = {"GET": PUBLIC}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "Count and sum resources",
        description=(
            "Over what `GET /resources` would list under the same filters: `?type=invoice&group=status,created_at:month"
            "&measures=count,sum:data.total&data.total__gte=100`.\n\n"
            "`group`: `type`, `status`, `visibility`, `owner`, `tag` (a resource counts for each of its tags), "
            "`created_at` or `updated_at` by `:day`, `:month` or `:year` (UTC), and `data.<path>` with `x-index`. "
            "`measures`: `count`, `sum` and `avg` of numbers, `min` and `max` of numbers, texts, dates and times: "
            "`sum:data.total`, `max:created_at`; each may also stand by itself (`&count&sum:data.total`, "
            "`&sum=data.total`). Numbers are exact decimals; what lacks the value is left out of a "
            "measure, and is the group `null`.\n\n"
            "The largest groups come first, 1,000 at most; `meta.groups` says how many there are. More than a million "
            "resources are refused (`too_many_rows`)."
        ),
        query=AggregateQuery,
        response=GroupShape,
        many=True,
        response_example=[
            {"group": {"status": "sent"}, "count": 12, "sum:data.total": 1204.5},
            {"group": {"status": "draft"}, "count": 3, "sum:data.total": 99},
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(AggregateQuery, request)
        groups, measures = query.pop("group", ()), query.pop("measures", ()) or (COUNT,)
        asks_of_data = any("data." in name for name in (*groups, *measures))
        question = Question.of(self.caller, query, asks_of_data=asks_of_data)
        answer = aggregate(question, groups, measures)
        return success_json(answer.raw, meta={"groups": answer.groups, "truncated": answer.is_cut})


def _measures_of(name: str, value: Any) -> tuple[str, ...]:
    """Return the measures that a parameter of its own asks for, by the names they have in `measures`."""
    return tuple(f"{name}:{path}" for path in value) if name in MEASURED else (name,)


def _few(names: tuple[str, ...], most: int) -> tuple[str, ...]:
    if len(names) > most or len(set(names)) < len(names):
        raise ValidationError([ErrorDetail(f"Give at most {most}, each once.", code="max_length")])
    return names
