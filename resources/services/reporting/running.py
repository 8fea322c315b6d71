"""A report as a job of one step; each month every administrator gets one of the month before."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import IO, Any, Final

import orjson
from django.conf import settings
from django.db import connection, transaction

from accounts.models import User
from core import jobs
from core.errors import PermissionDenied
from core.jobs import Done, JobFailed, Work
from core.locks import NamedLock
from core.models import Job
from core.permissions import ADMIN, Caller
from core.spreadsheets import neutralised
from resources.services.askers import asker_of, parameters_of
from resources.services.exporting.xlsx import CONTENT_TYPE as XLSX
from resources.services.exporting.xlsx import write_workbook
from resources.services.reporting.periods import Period, month_before, read_period
from resources.services.reporting.tables import REPORTS, Report, Rows

KIND: Final = "resources.report"
_REQUESTING: Final = NamedLock("report")
_STATEMENT_MILLISECONDS: Final = 120_000


@transaction.atomic
def request_report(*, actor: Caller, kind: str, period: Period, format: str, month: str = "") -> Job:
    """Promise the actor a report; raises `PermissionDenied` for one that they may not have.

    `month` marks a report that nobody asked for: of one month everybody gets one.
    """
    _require(actor, REPORTS[kind])
    parameters = {"report": kind, "from": str(period.first), "to": str(period.end), "format": format}
    if month:
        parameters["month"] = month
    return jobs.create_job(KIND, actor=actor, parameters={**parameters, **parameters_of(actor)})


def write_report(work: Work) -> Done:
    """Make the report: the step of the job."""
    asker = asker_of(work, scope="read:resource")
    wanted = work.parameters
    report, format_ = REPORTS[wanted["report"]], wanted["format"]
    period = Period(date.fromisoformat(wanted["from"]), date.fromisoformat(wanted["to"]))
    try:
        _require(asker, report)
    except PermissionDenied:
        raise JobFailed("Whoever asked for this may not have it any more.", code="permission_denied") from None
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {_STATEMENT_MILLISECONDS}")
        rows = report.rows(asker, period)
    content = io.BytesIO()
    write, content_type = FORMATS[format_]
    write(report, period, rows, content)
    content.seek(0)
    work.total = work.done = len(rows)
    filename = f"{report.title}-{period}.{format_}"
    return Done(stored=work.save(content, name="report"), filename=filename, content_type=content_type)


def make_monthly_reports(*, now: datetime | None = None) -> int:
    """Promise each administrator the report on last month's resources, unless they have it; return how many."""
    if not settings.MONTHLY_REPORTS:
        return 0
    month = month_before(now or datetime.now(UTC))
    administrators = User.objects.able_to_sign_in().filter(role__permissions__contains=[ADMIN])
    return sum(_make_monthly_report(user, month) for user in administrators.select_related("role").order_by("pk"))


@transaction.atomic
def _make_monthly_report(user: User, month: str) -> bool:
    _REQUESTING.hold(of=f"{month}:{user.pk}")
    if Job.objects.filter(kind=KIND, owner_id=user.pk, parameters__month=month).exists():
        return False
    request_report(actor=Caller.of(user), kind="resources", period=read_period(month), format="csv", month=month)
    return True


def _require(actor: Caller, report: Report) -> None:
    if report.needs and not actor.holds(report.needs):
        raise PermissionDenied


def _write_json(report: Report, period: Period, rows: Rows, to: IO[bytes]) -> None:
    told = {"report": report.title, "period": {"from": str(period.first), "to": str(period.end)}, "rows": rows}
    to.write(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _write_csv(report: Report, period: Period, rows: Rows, to: IO[bytes]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(report.columns)
    writer.writerows([_cell(row[name]) for name in report.columns] for row in rows)
    to.write(text.getvalue().encode())


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return neutralised(value) if isinstance(value, str) else value


def _write_xlsx(report: Report, period: Period, rows: Rows, to: IO[bytes]) -> None:
    write_workbook([report.columns, *([row[name] for name in report.columns] for row in rows)], to)


Write = Callable[[Report, Period, Rows, IO[bytes]], None]
FORMATS: Final[dict[str, tuple[Write, str]]] = {
    "csv": (_write_csv, "text/csv; charset=utf-8"),
    "json": (_write_json, "application/json"),
    "xlsx": (_write_xlsx, XLSX),
}
