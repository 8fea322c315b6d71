"""POST /exports: what a list shows, as a file."""

import csv
import io
from typing import Any
from uuid import UUID
from xml.etree import ElementTree
from zipfile import ZipFile

import orjson
import pytest
from django.core.files.storage import default_storage
from django.test import Client

from accounts.models import ApiToken, User
from accounts.tests.factories import create_api_token_of, create_user
from core.jobs import running
from core.models import Event, Job
from core.tests.spine import Drain
from resources.access import Level
from resources.models import Resource
from resources.services.exporting import running as exporting
from resources.tests.factories import create_resource, create_type, share
from resources.tests.transfers import ClientOf, followed, job_of, result_of

PATH = "/api/v1/exports"
SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "string"},
        "total": {"type": "number"},
        "paid": {"type": ["boolean", "null"]},
        "customer": {"type": "object", "properties": {"city": {"type": "string"}}},
        "lines": {"type": "array"},
    },
}

pytestmark = pytest.mark.usefixtures("local_files")


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    return client_of(owner)


def ask(client: Client, **body: Any) -> Any:
    return client.post(PATH, body, "application/json")


@pytest.fixture
def exported(client: Client, drain: Drain) -> Any:
    def exported(**body: Any) -> bytes:
        job = job_of(ask(client, **body))
        drain()
        done = followed(client, job)
        assert (done["state"], done["error"]) == ("succeeded", None)
        assert done["result_url"]
        return result_of(job)

    return exported


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_an_export_holds_what_the_list_shows_and_nothing_else(
    client: Client, owner: User, stranger: User, exported: Any
) -> None:
    own = create_resource(owner, name="Own", tags=["a"], data={"price": 1.5})
    shared = create_resource(stranger, name="Shared")
    share(shared, owner, Level.VIEWER)
    create_resource(stranger, name="Secret")
    listed = client.get("/api/v1/resources?sort=created_at").json()["data"]

    rows = [orjson.loads(line) for line in exported(format="ndjson").splitlines()]

    assert [row["id"] for row in rows] == [str(own.id), str(shared.id)]
    assert rows == listed
    assert orjson.loads(exported(format="json")) == listed


def test_a_typing_error_exports_what_the_list_finds(
    client: Client, owner: User, exported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_PART_BYTES", 1)
    monkeypatch.setattr(exporting, "_BATCH_ROWS", 1)
    for place in range(3):
        create_resource(owner, name=f"Zanzibar expedition {place}")
    create_resource(owner, name="Something else")

    rows = exported(format="ndjson", filters={"q": "Zanzibra"}).splitlines()

    listed = client.get("/api/v1/resources?q=Zanzibra").json()["data"]
    assert sorted(orjson.loads(row)["name"] for row in rows) == sorted(row["name"] for row in listed)
    assert len(listed) == 3


def test_filters_are_those_of_the_list(client: Client, owner: User, stranger: User, exported: Any) -> None:
    create_type("letter", schema=SCHEMA)
    create_resource(owner, name="Old letter", type_id="letter", tags=["a", "b"], status="active")
    create_resource(
        owner, name="A letter", type_id="letter", tags=["a"], data={"number": "7", "total": -1.5, "paid": True}
    )
    create_resource(stranger, name="Public letter", type_id="letter", tags=["a", "b"], visibility="public")
    create_resource(owner, name="An item", tags=["a", "b"])

    def names(**body: Any) -> list[str]:
        return [orjson.loads(line)["name"] for line in exported(format="ndjson", **body).splitlines()]

    assert names(type="letter", filters={"tag": ["a", "b"], "owner": "me"}) == ["Old letter"]
    assert names(filters={"q": "item"}) == ["An item"]
    assert names(type="letter", filters={"data.number": "7"}) == ["A letter"]
    assert names(type="letter", filters={"data.total": -1.5, "data.paid": True}) == ["A letter"]
    assert names(type="letter", filters={"data.number__in": ["7", "8,9"]}) == ["A letter"]
    assert names(type="letter", filters={"data.total__in": [-1.5, 2]}) == ["A letter"]
    assert names(filters={"access": "viewer"}) == ["Public letter"]
    assert names(filters={"created_after": "2100-01-01T00:00:00Z"}) == []


def test_a_table_has_a_column_for_each_property_and_loses_nothing(owner: User, exported: Any) -> None:
    create_type("letter", schema=SCHEMA)
    data = {
        "number": "=1+1",
        "total": -12.5,
        "paid": None,
        "customer": {"city": "Köln, am Rhein", "zip": "50667"},
        "lines": [{"a": 1}],
        "more": {"x": ""},
    }
    create_resource(owner, name='A "letter"', type_id="letter", tags=["a", "b,c"], data=data, description="Two\nlines")

    (row,) = table(exported(type="letter", format="csv"))

    assert row["name"] == 'A "letter"'
    assert row["description"] == "Two\nlines"
    assert row["tags"] == 'a,"b,c"'
    assert (row["data.number"], row["data.total"], row["data.paid"]) == ("'=1+1", "-12.5", "")
    assert (row["data.customer.city"], row["data.lines"]) == ("Köln, am Rhein", '[{"a":1}]')
    assert orjson.loads(row["data"]) == {"paid": None, "customer": {"zip": "50667"}, "more": {"x": ""}}
    assert row["owner.id"] == str(owner.id)


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "'=1", "''@x"])
def test_a_text_that_a_spreadsheet_would_run_is_shown_instead(owner: User, exported: Any, text: str) -> None:
    create_resource(owner, name="A", description=text)

    (row,) = table(exported(format="csv"))

    assert row["description"] == f"'{text}"


ODD = ["<a & b>\u0001", "_x0041_", "\ufffe", "=1", '-"\\', "é" * 33_000, " a\nb ", ""]


def test_an_odd_text_is_written_alike_alone_and_among_others(owner: User, exported: Any) -> None:
    create_type("letter", schema=SCHEMA)
    for number, text in enumerate(ODD):
        create_resource(
            owner, name="Odd", type_id="letter", tags=[f"odd-{number}"], data={"number": text, "total": -1.5}
        )

    alone = [exported(type="letter", format="xlsx", filters={"tag": f"odd-{number}"}) for number in range(len(ODD))]
    create_resource(owner, name="Plain", type_id="letter", data={"number": "x", "paid": False})
    together = sheet_rows(exported(type="letter", format="xlsx"))
    cells = table(exported(type="letter", format="csv"))

    assert [rows[1] for rows in map(sheet_rows, alone)] == together[1:-1]
    assert "Plain" in together[-1]
    assert [row["data.number"] for row in cells] == [*ODD[:3], "'=1", "'-\"\\", *ODD[5:], "x"]
    assert [row["data.total"] for row in cells] == ["-1.5"] * len(ODD) + [""]
    assert [row["data"] for row in cells[-2:]] == ['{"number":""}', ""]


def sheet_rows(workbook: bytes) -> list[str]:
    with ZipFile(io.BytesIO(workbook)) as opened:
        sheet = ElementTree.fromstring(opened.read("xl/worksheets/sheet1.xml").decode())  # noqa: S314  # our own
    return [ElementTree.tostring(row, encoding="unicode") for row in sheet.iter() if row.tag.endswith("}row")]


def test_an_empty_export_has_a_header(exported: Any) -> None:
    assert exported(format="csv").decode().startswith("id,type,name,")
    assert exported(format="ndjson") == b""
    assert orjson.loads(exported(format="json")) == []


def test_a_workbook_types_its_cells(owner: User, exported: Any) -> None:
    create_type("letter", schema=SCHEMA)
    data = {"number": "=1+1 <&>\u0001 _x0041_", "total": 12.5, "paid": True}
    create_resource(owner, name="A", type_id="letter", data=data)

    with ZipFile(io.BytesIO(exported(type="letter", format="xlsx"))) as workbook:
        sheet = workbook.read("xl/worksheets/sheet1.xml").decode()

    assert '<c t="inlineStr"><is><t>=1+1 &lt;&amp;&gt;_x0001_ _x005F_x0041_</t></is></c>' in sheet
    assert '<c t="b"><v>1</v></c><c><v>12.5</v></c>' in sheet
    assert "<f>" not in sheet
    assert sheet.count("<row>") == 2


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({"format": "pdf"}, [("format", "invalid_choice")]),
        ({"type": "nothing"}, [("type", "does_not_exist")]),
        ({"filters": {"colour": "red"}}, [("filters.colour", "unknown_parameter")]),
        ({"type": "item", "filters": {"data.a__in": [[1]]}}, [("filters.data.a__in", "invalid")]),
        ({"type": "item", "filters": {"data.a__in": []}}, [("filters.data.a__in", "invalid")]),
        ({"filters": {"page": "1"}}, [("filters.page", "unknown_parameter")]),
        ({"filters": {"created_after": "soon"}}, [("filters.created_after", "invalid")]),
        ({"filters": {"status": ["a", "b"]}}, [("filters.status", "repeated")]),
        ({"filters": {"status": 1}}, [("filters.status", "invalid")]),
        ({"filters": {"type": "item"}}, [("filters.type", "unknown_parameter")]),
        ({"filters": {"data.total": "1"}}, [("type", "required")]),
        ({"filters": {"data.total": 1}}, [("type", "required")]),
        ({"filters": {"data.total": None}}, [("filters.data.total", "null")]),
        ({"filters": {"q": []}}, [("filters.q", "invalid")]),
        ({"filters": []}, [("filters", "not_a_dict")]),
        ({"kind": "x"}, [("kind", "unknown_field")]),
    ],
)
def test_a_wrong_request_makes_no_job(client: Client, body: dict[str, Any], details: list[tuple[str, str]]) -> None:
    answer = ask(client, **body)

    assert answer.status_code == 400
    assert [(one["field"], one["code"]) for one in answer.json()["error"]["details"]] == details
    assert not Job.objects.exists()


def test_a_part_is_written_once_however_often_its_step_was_lost(
    client: Client, owner: User, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is done, forgotten as if its worker had been killed before it was kept, and done again."""
    monkeypatch.setattr(exporting, "_BATCH_ROWS", 2)
    monkeypatch.setattr(exporting, "_STEP_SECONDS", 0.0)
    monkeypatch.setattr(exporting, "_PART_BYTES", 1)
    for number in range(7):
        create_resource(owner, name=f"Number {number}")
    job = job_of(ask(client, format="ndjson"))
    run = running._keep
    lost: list[int] = []

    def lose_every_other(*args: Any, **options: Any) -> None:
        lost.append(len(lost))
        if len(lost) % 2:
            raise running._Overtaken
        run(*args, **options)

    monkeypatch.setattr(running, "_keep", lose_every_other)
    for _ in range(30):
        row = Job.objects.get(pk=job["id"])
        running.run(job_id=row.pk, turn=row.turn)
    drain()

    assert followed(client, job)["state"] == "succeeded"
    names = [orjson.loads(line)["name"] for line in result_of(job).splitlines()]
    assert names == [f"Number {number}" for number in range(7)]
    assert len(lost) > 8


def test_who_loses_sight_of_a_row_meanwhile_does_not_get_it(
    client: Client, owner: User, stranger: User, drain: Drain
) -> None:
    create_resource(owner, name="Own")
    foreign = create_resource(stranger, name="Shared")
    given = share(foreign, owner, Level.VIEWER)
    job = job_of(ask(client, format="ndjson"))
    given.delete()
    drain()

    assert [orjson.loads(line)["name"] for line in result_of(job).splitlines()] == ["Own"]


def test_whoever_is_disabled_meanwhile_gets_nothing(client: Client, owner: User, drain: Drain) -> None:
    create_resource(owner)
    job = job_of(ask(client))
    User.objects.filter(pk=owner.pk).update(is_active=False)
    drain()

    row = Job.objects.get(pk=job["id"])
    assert (row.state, row.error_code, row.result) == ("failed", "permission_denied", "")


def test_a_token_follows_the_jobs_that_it_started_and_is_bound_by_its_scopes(owner: User, drain: Drain) -> None:
    reader = create_user()
    reader.role.permissions = ["read:resource"]
    reader.role.save()
    create_resource(owner, name="Foreign", type_id="item")
    token, secret = create_api_token_of(reader, "read:resource")
    _, other = create_api_token_of(reader, "read:resource")
    script = Client(headers={"Authorization": f"Bearer {secret}"})
    other_script = Client(headers={"Authorization": f"Bearer {other}"})

    job = job_of(ask(script, format="ndjson"))
    drain()

    assert followed(script, job)["state"] == "succeeded"
    assert followed(script, job)["result_url"]
    assert [one["id"] for one in script.get("/api/v1/jobs").json()["data"]] == [job["id"]]
    assert other_script.get(f"/api/v1/jobs/{job['id']}").status_code == 404
    assert other_script.post(f"/api/v1/jobs/{job['id']}/cancel", {}, "application/json").status_code == 404
    assert other_script.get("/api/v1/jobs").json()["data"] == []

    stopped = job_of(ask(script, format="ndjson"))
    ApiToken.objects.filter(pk=token.pk).update(revoked_at="2026-01-01T00:00:00Z")
    drain()
    assert Job.objects.get(pk=stopped["id"]).error_code == "permission_denied"


def test_a_cancelled_export_leaves_no_file(client: Client, owner: User, drain: Drain) -> None:
    create_resource(owner)
    job = job_of(ask(client))

    assert client.post(f"/api/v1/jobs/{job['id']}/cancel", {}, "application/json").status_code == 200
    drain()

    assert followed(client, job)["state"] == "cancelled"
    assert not default_storage.exists(f"jobs/{job['id']}") or default_storage.listdir(f"jobs/{job['id']}")[1] == []


def test_an_export_is_told_of_in_the_log(client: Client, owner: User, drain: Drain) -> None:
    job = job_of(ask(client))
    drain()

    told = list(Event.objects.filter(subject_id=job["id"]).order_by("seq").values_list("type", flat=True))
    assert told == ["job.created", "job.started", "job.succeeded"]
    assert Job.objects.get(pk=job["id"]).parameters == {"format": "csv", "filters": {}}
    assert UUID(job["id"])
    assert not Resource.objects.exists()
