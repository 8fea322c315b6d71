"""POST /reports: counts over a period, as a file."""

from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.jobs import JOB_EXAMPLE, JobShape, accepted_job
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse, validate
from core.api.views import ApiView
from core.errors import Conflict, Detail, ValidationFailed
from resources.services.reporting import FORMATS, REPORTS, Period, read_period, request_report
from resources.services.reporting.periods import period_between


class DaysInput(StrictSerializer):
    """From one day to the day before another."""

    to = serializers.DateField()

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's own.
        return {"from": serializers.DateField(), **super().get_fields()}


class PeriodField(serializers.JSONField):
    """A name (`2026`, `2026-Q3`, `2026-10`), or `{from, to}`."""


class ReportInput(StrictSerializer):
    """Which report, on when, in which format."""

    kind = serializers.ChoiceField(choices=list(REPORTS))
    period = PeriodField(help_text="`2026-10`, `2026-Q3`, `2026`, or `{from, to}`: days of UTC, `to` not included.")
    format = serializers.ChoiceField(choices=list(FORMATS), default="csv")


class Reports(ApiView):
    """Reports, made by a job."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "read:resource"}
    rate_limit = "bulk"

    @operation(
        "Make a report",
        description=(
            "`resources`: for each type and state of what the caller sees, how many there are, and how many came, "
            "changed and went to the bin in the period; `sums` of numbers that `x-index` names over those that came. "
            "`activity` (`read:audit`): events by day and type, and by how many people. `users` (`admin`): people by "
            "role. The job's `result_url` is the file. Administrators get the report on each month's resources by "
            "themselves, and a mail that it is there."
        ),
        request=ReportInput,
        response=JobShape,
        status=202,
        request_example={"kind": "resources", "period": "2026-10", "format": "csv"},
        response_example={**JOB_EXAMPLE, "kind": "resources.report", "total": None, "done": 0, "state": "queued"},
        errors=(Conflict,),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(ReportInput, request)
        period = _period(body["period"])
        job = request_report(actor=self.caller, kind=body["kind"], period=period, format=body["format"])
        return accepted_job(job, self.caller)


def _period(given: Any) -> Period:
    if isinstance(given, str):
        return read_period(given)
    try:
        days = validate(DaysInput, given)
    except ValidationFailed as error:
        details = [
            Detail(f"period.{one.field}" if one.field else "period", one.code, one.message) for one in error.details
        ]
        raise ValidationFailed(details=details) from None
    return period_between(days["from"], days["to"])
