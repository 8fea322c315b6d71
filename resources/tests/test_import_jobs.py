"""Imports as jobs: lost steps, cancels, tokens, keywords, and files that go."""

import csv
import io
from typing import Any

import orjson
import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import create_api_token_of
from core import jobs
from core.jobs import running as job_running
from core.models import Event, Job
from core.permissions import Caller
from core.tests.spine import Drain
from resources.models import DryRunKey, Resource, ResourceHistory
from resources.services.importing import reading
from resources.services.types import change_type
from resources.tasks import sweep_files
from resources.tests.factories import create_type
from resources.tests.transfers import (
    IMPORTS,
    LETTER,
    TYPE,
    ClientOf,
    ask_import,
    counts,
    faults,
    followed,
    form,
    job_of,
    lines,
    result_of,
)

pytestmark = pytest.mark.usefixtures("local_files")


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    create_type("letter", schema=LETTER)
    return client_of(owner)


@pytest.fixture
def imported(client: Client, drain: Drain) -> Any:
    def imported(content: bytes | str, name: str = "rows.csv", **fields: str) -> dict[str, Any]:
        job = job_of(ask_import(client, content, name, **fields))
        drain()
        return followed(client, job)

    return imported


@pytest.mark.parametrize("name", ["rows.csv", "rows.ndjson", "rows.json"])
def test_rows_are_written_once_however_often_a_step_was_lost(
    client: Client, drain: Drain, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(reading, "ROWS_A_STEP", 3)
    rows = [{"name": f"Row {number}", "data": {"number": f"a\n{number}"}} for number in range(10)]
    content = {
        "rows.csv": "name,number\n" + "".join(f'Row {number},"a\n{number}"\n' for number in range(10)),
        "rows.ndjson": lines(*rows).decode(),
        "rows.json": orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode(),
    }[name]
    job = job_of(ask_import(client, content, name))
    keep = job_running._keep
    lost: list[int] = []

    def lose_every_other(*args: Any, **options: Any) -> None:
        lost.append(len(lost))
        if len(lost) % 2:
            raise job_running._Overtaken
        keep(*args, **options)

    monkeypatch.setattr(job_running, "_keep", lose_every_other)
    for _ in range(20):
        row = Job.objects.get(pk=job["id"])
        job_running.run(job_id=row.pk, turn=row.turn)
    drain()

    assert counts(followed(client, job)) == ("succeeded", 10, 10, 0)
    assert list(Resource.objects.order_by("pk").values_list("name", flat=True)) == [row["name"] for row in rows]
    assert list(Resource.objects.order_by("pk").values_list("data__number", flat=True)) == [
        f"a\n{number}" for number in range(10)
    ]
    assert ResourceHistory.objects.count() == Event.objects.filter(type="resource.created").count() == 10


def test_rows_read_ahead_are_judged_by_the_schema_that_holds_when_they_are_written(
    client: Client, admin: User, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS_A_STEP", 2)
    job = job_of(ask_import(client, "name,number\n" + "A,1\n" * 6))
    keep = job_running._keep
    narrower = {**LETTER, "properties": {"number": {"type": "string", "minLength": 3}}}
    kept: list[int] = []

    def change_after_two(*args: Any, **options: Any) -> None:
        keep(*args, **options)
        kept.append(len(kept))
        if len(kept) == 2:
            change_type(actor=Caller.of(admin), key="letter", changes={"schema": narrower}, force=True)

    monkeypatch.setattr(job_running, "_keep", change_after_two)
    drain()

    assert counts(followed(client, job)) == ("succeeded", 6, 6, 4)
    assert Resource.objects.count() == 2


def test_a_cancel_leaves_what_was_committed_and_counts_it(
    client: Client, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS_A_STEP", 2)
    monkeypatch.setattr(job_running, "SLICE_SECONDS", 0.0)
    job = job_of(ask_import(client, "name,number\n" + "A,1\n" * 10))
    for _ in range(3):
        row = Job.objects.get(pk=job["id"])
        job_running.run(job_id=row.pk, turn=row.turn)

    assert client.post(f"/api/v1/jobs/{job['id']}/cancel", {}, "application/json").status_code == 200
    drain()

    assert counts(followed(client, job)) == ("cancelled", 10, 4, 0)
    assert Resource.objects.count() == 4
    assert jobs.files_of(Job.objects.get().pk) == []


def test_the_upload_goes_with_the_end_of_the_job(client: Client, drain: Drain) -> None:
    job_of(ask_import(client, "name,number\nA,1\n"))
    row = Job.objects.get()
    assert len(jobs.files_of(row.pk)) == 1

    drain()

    assert jobs.files_of(row.pk) == []


def test_whoever_is_disabled_meanwhile_writes_nothing_more(client: Client, owner: User, drain: Drain) -> None:
    job_of(ask_import(client, "name,number\nA,1\n"))
    User.objects.filter(pk=owner.pk).update(is_active=False)
    drain()

    job = Job.objects.get()
    assert (job.state, job.error_code) == ("failed", "permission_denied")
    assert not Resource.objects.exists()


def test_a_token_that_may_only_read_imports_nothing(client: Client, owner: User) -> None:
    _, reading = create_api_token_of(owner, "read:resource")
    _, writing = create_api_token_of(owner, "write:resource")

    assert ask_import(Client(headers={"Authorization": f"Bearer {reading}"}), "name\nA").status_code == 403
    assert ask_import(Client(headers={"Authorization": f"Bearer {writing}"}), "name\nA").status_code == 202
    assert Job.objects.count() == 1


def test_the_same_key_imports_once(client: Client, drain: Drain) -> None:
    def send(content: str) -> Any:
        body = form(content, "rows.csv", type="letter")
        return client.generic("POST", IMPORTS, body, TYPE, headers={"Idempotency-Key": "one"})

    first, second = send("name,number\nA,1\n"), send("name,number\nA,1\n")

    assert first.json()["data"]["id"] == second.json()["data"]["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert send("name,number\nB,1\n").status_code == 422
    drain()
    assert Resource.objects.count() == 1


KEYWORDS = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "x-unique": True},
        "secret": {"type": "string", "x-encrypted": True},
        "rate": {"type": "number", "x-write": ["moderator"]},
    },
}


@pytest.mark.parametrize("dry_run", ["true", "false"])
def test_keywords_hold_in_an_import_and_come_out_in_an_export(
    client: Client, drain: Drain, imported: Any, dry_run: str
) -> None:
    create_type("deal", schema=KEYWORDS)
    client.post("/api/v1/resources", {"type": "deal", "name": "A", "data": {"number": "1"}}, "application/json")

    job = imported("name,number,secret,rate\nB,1,,\nC,2,hush,\nD,3,,5\nE,4,,\n", type="deal", dry_run=dry_run)

    assert counts(job) == ("succeeded", 4, 4, 2)
    assert [(row, path) for row, path, _ in faults(job)] == [("1", "data.number"), ("3", "data.rate")]
    if dry_run == "true":
        assert Resource.objects.count() == 1
        return
    assert "hush" not in str(Resource.objects.get(name="C").data)
    out = job_of(client.post("/api/v1/exports", {"type": "deal", "format": "csv"}, "application/json"))
    drain()
    rows = list(csv.DictReader(io.StringIO(result_of(out).decode(), newline="")))
    assert [(row["name"], row["data.number"], row["data.secret"]) for row in rows] == [
        ("A", "1", ""),
        ("C", "2", "hush"),
        ("E", "4", ""),
    ]


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_a_dry_run_knows_repeats_of_any_earlier_step(
    client: Client, imported: Any, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(reading, "ROWS_A_STEP", 2)
    create_type("deal", schema=UNIQUE)
    rows = "name,external_id,number\n" + "".join(
        f"{name},{id_},{number}\n"
        for name, id_, number in [
            *[("A", "a", "1"), ("B", "b", "2"), ("C", "c", "3"), ("D", "d", "1"), ("E", "a", "5"), ("F", "e", "2")],
            *[("G", "f", "1"), ("H", "d", "7"), ("I", "g", "7")],
        ]
    )

    dry = imported(rows, type="deal", mode=mode, dry_run="true")
    assert not Resource.objects.exists()
    assert not DryRunKey.objects.exists()
    told = faults(dry)
    wet = imported(rows, type="deal", mode=mode)

    assert counts(dry) == counts(wet)
    # What an import finds as its own, a dry run finds in the file.
    assert [(row, path, "unique" if code == "repeated" else code) for row, path, code in told] == faults(wet)
    assert ("5", "external_id", "repeated") in told or mode == "upsert"
    assert ("6", "data.number", "unique") in told


def test_a_dry_run_whose_steps_were_lost_tells_the_same(
    client: Client, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS_A_STEP", 2)
    create_type("deal", schema=UNIQUE)
    rows = "name,external_id,number\n" + "".join(f"A,{number % 6},{number % 7}\n" for number in range(12))
    job = job_of(ask_import(client, rows, type="deal", dry_run="true"))
    keep = job_running._keep
    lost: list[int] = []

    def lose_every_other(*args: Any, **options: Any) -> None:
        lost.append(len(lost))
        if len(lost) % 2:
            raise job_running._Overtaken
        keep(*args, **options)

    monkeypatch.setattr(job_running, "_keep", lose_every_other)
    for _ in range(20):
        row = Job.objects.get(pk=job["id"])
        job_running.run(job_id=row.pk, turn=row.turn)
    drain()

    done = followed(client, job)
    assert counts(done) == ("succeeded", 12, 12, 6)
    assert [row for row, _, _ in faults(done)] == ["7", "8", "9", "10", "11", "12"]


def test_what_a_dry_run_keeps_goes_with_it_once_it_cannot_go_on(
    client: Client, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS_A_STEP", 2)
    monkeypatch.setattr(job_running, "SLICE_SECONDS", 0.0)
    job = job_of(ask_import(client, "name,external_id,number\nA,1,1\nB,2,2\nC,3,3\n", dry_run="true"))
    for _ in range(2):
        row = Job.objects.get(pk=job["id"])
        job_running.run(job_id=row.pk, turn=row.turn)
    sweep_files()
    assert DryRunKey.objects.count() == 2
    assert client.post(f"/api/v1/jobs/{job['id']}/cancel", {}, "application/json").status_code == 200

    sweep_files()

    assert not DryRunKey.objects.exists()


UNIQUE = {"type": "object", "properties": {"number": {"type": "string", "x-unique": True}}}
