"""POST /reports, and those that come by themselves."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from zipfile import ZipFile

import orjson
import pytest
from django.test import Client

from accounts.models import User
from core.models import Job
from core.queue import definition
from core.tests.spine import Drain
from notifications.tests.smtp import SmtpSink
from resources.models import Resource
from resources.services import reporting
from resources.tests.factories import create_resource, create_type
from resources.tests.transfers import ClientOf, followed, job_of, result_of

PATH = "/api/v1/reports"

pytestmark = pytest.mark.usefixtures("local_files")


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    return client_of(owner)


def ask(client: Client, **body: Any) -> Any:
    return client.post(PATH, {"kind": "resources", "period": "2026-10", **body}, "application/json")


def dated(owner: User, created: str, updated: str = "", **fields: Any) -> Resource:
    """Return a resource with a past."""
    return create_resource(owner, created_at=created, updated_at=updated or created, **fields)


def made(client: Client, drain: Drain, **body: Any) -> bytes:
    job = job_of(ask(client, **body))
    drain()
    done = followed(client, job)
    assert (done["state"], done["error"]) == ("succeeded", None)
    return result_of(job)


def test_a_report_counts_what_the_caller_sees_in_the_period(
    client: Client, owner: User, stranger: User, drain: Drain
) -> None:
    schema = {"type": "object", "properties": {"total": {"type": "number", "x-index": True}}}
    create_type("letter", schema=schema)
    for number, created in enumerate(["2026-10-01T00:00:00Z", "2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z"]):
        dated(owner, created, type_id="letter", data={"total": 10.5 + number})
    dated(owner, "2026-09-01T00:00:00Z", "2026-10-05T00:00:00Z", type_id="letter")
    dated(owner, "2026-01-01T00:00:00Z", deleted_at="2026-10-02T00:00:00Z")
    dated(stranger, "2026-10-01T00:00:00Z")

    rows = list(csv.DictReader(io.StringIO(made(client, drain).decode())))

    item, letter_row = rows
    assert [item[name] for name in ("type", "live", "created", "updated", "deleted")] == ["item", "0", "0", "0", "1"]
    assert (letter_row["live"], letter_row["created"], letter_row["updated"]) == ("4", "2", "1")
    assert orjson.loads(letter_row["sums"]) == {"data.total": 22.0}
    as_json = orjson.loads(made(client, drain, format="json"))
    assert as_json["period"] == {"from": "2026-10-01", "to": "2026-11-01"}
    assert [row["created"] for row in as_json["rows"]] == [0, 2]
    with ZipFile(io.BytesIO(made(client, drain, format="xlsx"))) as workbook:
        assert workbook.read("xl/worksheets/sheet1.xml").decode().count("<row>") == 3


def test_sums_are_exact_and_one_that_no_double_holds_is_told_as_text(client: Client, owner: User, drain: Drain) -> None:
    properties = {name: {"type": "number", "x-index": True} for name in ("exact", "huge")}
    create_type("letter", schema={"type": "object", "properties": properties})
    for exact in (0.1, 0.2):
        dated(owner, "2026-10-05T00:00:00Z", type_id="letter", data={"exact": exact, "huge": 1e308})

    [row] = csv.DictReader(io.StringIO(made(client, drain).decode()))

    assert orjson.loads(row["sums"]) == {"data.exact": 0.3, "data.huge": "2.000000000000000e+308"}
    assert orjson.loads(made(client, drain, format="json"))["rows"][0]["sums"]["data.exact"] == 0.3


@pytest.mark.parametrize(
    ("period", "days"),
    [
        ("2026-12", ("2026-12-01", "2027-01-01")),
        ("2026-Q4", ("2026-10-01", "2027-01-01")),
        ("2026", ("2026-01-01", "2027-01-01")),
        ({"from": "2026-02-03", "to": "2026-02-04"}, ("2026-02-03", "2026-02-04")),
    ],
)
def test_a_period_has_a_name_or_two_days(client: Client, period: Any, days: tuple[str, str]) -> None:
    job_of(ask(client, period=period))

    parameters = Job.objects.get().parameters
    assert (parameters["from"], parameters["to"]) == days


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({"kind": "nothing"}, [("kind", "invalid_choice")]),
        ({"period": "2026-13"}, [("period", "invalid")]),
        ({"period": ["2026"]}, [("period", "invalid")]),
        ({"period": {"from": "2026-01-02", "to": "2026-01-02"}}, [("period.to", "min_value")]),
        ({"period": {"from": "2020-01-01", "to": "2026-01-02"}}, [("period.to", "max_value")]),
        ({"period": {"from": "x"}}, [("period.from", "invalid"), ("period.to", "required")]),
        ({"format": "pdf"}, [("format", "invalid_choice")]),
    ],
)
def test_a_wrong_request_makes_no_job(client: Client, body: dict[str, Any], details: list[tuple[str, str]]) -> None:
    answer = ask(client, **body)

    assert answer.status_code == 400
    assert sorted((one["field"], one["code"]) for one in answer.json()["error"]["details"]) == details
    assert not Job.objects.exists()


def test_reports_on_people_and_what_they_do_are_not_for_everybody(
    client: Client, admin: User, client_of: ClientOf, drain: Drain
) -> None:
    month = f"{datetime.now(UTC):%Y-%m}"
    for kind in ("users", "activity"):
        assert ask(client, kind=kind).status_code == 403
    assert not Job.objects.exists()

    administrator = client_of(admin)
    users = list(csv.DictReader(io.StringIO(made(administrator, drain, kind="users", period=month).decode())))
    activity = list(csv.DictReader(io.StringIO(made(administrator, drain, kind="activity", period=month).decode())))

    assert {row["role"]: row["registered"] for row in users} == {"admin": "1", "user": "1"}
    assert "job.created" in {row["type"] for row in activity}


def test_who_is_no_administrator_any_more_gets_no_report_on_people(
    admin: User, owner: User, client_of: ClientOf, drain: Drain
) -> None:
    job_of(ask(client_of(admin), kind="users"))
    User.objects.filter(pk=admin.pk).update(role=owner.role)
    drain()

    assert Job.objects.get().error_code == "permission_denied"


def test_administrators_get_one_report_a_month_and_a_mail(
    admin: User, owner: User, drain: Drain, smtp_sink: SmtpSink, settings: Any
) -> None:
    now = datetime(2026, 11, 1, 5, tzinfo=UTC)

    assert reporting.make_monthly_reports(now=now) == 1
    assert reporting.make_monthly_reports(now=now) == 0
    drain()
    assert reporting.make_monthly_reports(now=now) == 0

    job = Job.objects.get()
    assert (job.owner_id, job.state, job.result_name) == (admin.pk, "succeeded", "resources-2026-10-01--2026-10-31.csv")
    assert len(smtp_sink.to(admin.email)) == 1
    assert smtp_sink.to(owner.email) == []
    settings.MONTHLY_REPORTS = False
    definition("resources.tasks.make_monthly_reports").function()
    assert Job.objects.count() == 1
