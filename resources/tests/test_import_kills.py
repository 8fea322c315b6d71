"""Imports and exports whose workers are killed with -9: every row, once."""

import random
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db.models import Count
from django.test import Client
from kombu.connection import Connection
from pytest_django import Settings

from accounts.models import User
from core import relay
from core.models import DeadLetter, Event, Job
from core.models.jobs import SUCCEEDED, UNFINISHED
from core.tests.processes import WorkerProcess
from core.tests.test_outages import eventually, in_background
from resources.models import Resource, ResourceHistory
from resources.tests.transfers import TYPE, ClientOf, form, job_of, result_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

SHORT = pytest.param(5_000, 1, id="short")
LONG = pytest.param(100_000, 12, id="long", marks=pytest.mark.drill)


def worked_off(job: dict[str, Any], files: Path, *, kills: int, seed: int) -> int:
    """Let workers carry the job on, and kill them at random moments; return how many were killed."""
    chance, killed = random.Random(seed), 0
    working = WorkerProcess(NOOK_DATA_DIR=str(files.parent))
    process = relay.Relay()
    try:
        with in_background(process.run, process.stop):
            while killed < kills and Job.objects.filter(pk=job["id"], state__in=UNFINISHED).exists():
                reached = Job.objects.get(pk=job["id"]).done
                eventually(lambda: _has_moved(job, reached), within=120)  # noqa: B023  # called at once
                time.sleep(chance.uniform(0, 0.5))
                if chance.random() < 0.5:
                    killed += working.kill_child()
                else:
                    working.kill()
                    working = WorkerProcess(NOOK_DATA_DIR=str(files.parent))
                    killed += 1
            eventually(lambda: not Job.objects.filter(pk=job["id"], state__in=UNFINISHED).exists(), within=300)
    finally:
        working.stop()
    return killed


def _has_moved(job: dict[str, Any], reached: int) -> bool:
    row = Job.objects.get(pk=job["id"])
    return row.done > reached or row.state not in UNFINISHED


@pytest.mark.parametrize(("rows", "kills"), [SHORT, LONG])
def test_workers_killed_in_mid_import_and_export_lose_and_double_nothing(
    owner: User,
    client_of: ClientOf,
    broker: Connection,
    local_files: Path,
    settings: Settings,
    rows: int,
    kills: int,
) -> None:
    settings.OUTBOX_LEASE_SECONDS = settings.OUTBOX_RESEND_SECONDS = 1.0
    settings.RATE_LIMIT_SCALE = 1000
    client = client_of(owner)
    table = "name,external_id,number\n" + "".join(f'Row {number},{number},"a\n{number}"\n' for number in range(rows))

    job = _imported(client, table.replace(",number\n", ",data.number\n", 1))
    killed = worked_off(job, local_files, kills=kills, seed=rows)

    assert killed > 0
    _expect_each_row_once(job, rows)

    out = job_of(client.post("/api/v1/exports", {"format": "ndjson"}, "application/json"))
    worked_off(out, local_files, kills=kills // 6, seed=rows + 1)
    names = [orjson.loads(line)["name"] for line in result_of(out).splitlines()]
    assert sorted(names) == sorted(f"Row {number}" for number in range(rows))


def _imported(client: Client, table: str) -> dict[str, Any]:
    body = form(table, "rows.csv", type="item", mode="create")
    return job_of(client.generic("POST", "/api/v1/imports", body, TYPE))


def _expect_each_row_once(job: dict[str, Any], rows: int) -> None:
    row = Job.objects.get(pk=job["id"])
    assert (row.state, row.total, row.done, row.failed) == (SUCCEEDED, rows, rows, 0)
    assert Resource.objects.count() == ResourceHistory.objects.count() == rows
    assert Resource.objects.values("name").annotate(times=Count("pk")).filter(times__gt=1).count() == 0
    assert set(Resource.objects.values_list("external_id", flat=True)) == set(map(str, range(rows)))
    assert Event.objects.filter(type="resource.created").count() == rows
    assert Event.objects.filter(type="resource.created").values("subject_id").distinct().count() == rows
    assert Event.objects.filter(type="job.succeeded").count() == 1
    assert DeadLetter.objects.count() == 0
