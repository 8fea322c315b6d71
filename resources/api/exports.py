"""POST /exports: what a list shows, as a file."""

import csv
import json
from io import StringIO
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.jobs import JOB_EXAMPLE, JobShape, accepted_job
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.errors import Conflict, Detail, ValidationFailed
from resources.data_query import PREFIX
from resources.services.exporting import FORMATS, request_export


class FiltersField(serializers.DictField):
    """The filters of a list: each a text, or a list of texts where it may be repeated; over `data` also plain JSON, and
    a list of it for `in`."""

    child = serializers.JSONField()


class ExportInput(StrictSerializer):
    """What is wanted of which resources."""

    type = serializers.CharField(required=False, max_length=50)
    filters = FiltersField(required=False)
    format = serializers.ChoiceField(choices=list(FORMATS), default="csv")


class Exports(ApiView):
    """Files of resources, made by a job."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "read:resource"}
    rate_limit = "bulk"

    @operation(
        "Export resources",
        description=(
            "Everything that the list shows the caller under these `filters` (the parameters of `GET /resources`, "
            "without those of order, pages and fields, those over `data` included; one that may be repeated may be a "
            "list), in the order of ids. The job's `result_url` is the file, kept for seven days. With `type`, a table "
            "(csv, xlsx) has a column for each property of its schema. Texts that a spreadsheet would run as a formula "
            "stand behind an apostrophe in csv and are typed as text in xlsx. The caller's permissions are asked anew "
            "for each part."
        ),
        request=ExportInput,
        response=JobShape,
        status=202,
        request_example={
            "type": "invoice",
            "filters": {"status": "sent", "tag": ["client-a"], "created_after": "2026-01-01T00:00:00Z"},
            "format": "csv",
        },
        response_example={**JOB_EXAMPLE, "kind": "resources.export", "total": None, "done": 0, "state": "queued"},
        errors=(Conflict,),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(ExportInput, request)
        filters = parameters_from(body.get("type"), body.get("filters", {}))
        try:
            job = request_export(actor=self.caller, filters=filters, format=body["format"])
        except ValidationFailed as error:
            raise _below_filters(error) from None
        return accepted_job(job, self.caller)


def parameters_from(type_key: str | None, filters: dict[str, Any]) -> dict[str, list[str]]:
    """Return the filters as parameters of the list; raises `ValidationFailed` with paths below `filters`."""
    read = {name: _texts(name, value) for name, value in filters.items() if name != "type"}
    if len(read) != len(filters):
        raise ValidationFailed.of("filters.type", "unknown_parameter", "The type stands beside the filters.")
    return read if type_key is None else {**read, "type": [type_key]}


def _texts(name: str, value: Any) -> list[str]:
    if name.startswith(PREFIX) and isinstance(value, bool | int | float):
        return [json.dumps(value)]
    if name.startswith(PREFIX) and name.endswith("__in") and isinstance(value, list):
        return [_commas(name, value)]
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) for one in values):
        raise ValidationFailed.of(f"filters.{name[:100]}", "invalid", "Give a text, as in a query string.")
    return values


def _commas(name: str, values: list[Any]) -> str:
    """Return the values of `in` as a query string has them: with commas between them, in quotes where one has some."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in values]
    if not texts or not all(isinstance(one, str | bool | int | float) for one in values):
        raise ValidationFailed.of(f"filters.{name[:100]}", "invalid", "Give a list of plain values.")
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()


def _below_filters(error: ValidationFailed) -> ValidationFailed:
    details = [
        Detail(one.field if one.field == "type" else f"filters.{one.field}", one.code, one.message)
        for one in error.details
    ]
    return ValidationFailed(details=details)
