"""The files of jobs: results for seven days, parts for as long as they are needed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import models
from django.test import Client
from pytest_django import Settings

from core import jobs
from core.jobs import running
from core.models import Job
from core.permissions import Caller
from core.purge import purge
from core.tests.job_kinds import begin, fresh, run_one_slice
from core.tests.spine import Drain
from core.worker import ClockTime

ClientOf = Callable[[models.Model], Any]
DAYS = timedelta(days=6, hours=23)


@pytest.fixture
def caller(owner: Any) -> Caller:
    return Caller.of(owner)


@pytest.mark.usefixtures("stored_files")
def test_the_result_is_a_short_link_for_seven_days_and_the_parts_go(
    caller: Caller, owner: Any, client_of: ClientOf, drain: Drain
) -> None:
    job = begin(caller, "test.write")
    drain()
    api = client_of(owner)

    shown = api.get(f"/api/v1/jobs/{job.pk}")
    data = shown.json()["data"]

    assert shown.headers["Cache-Control"] == "no-store"
    assert "whole.txt" in data["result_url"] or "/files/" in data["result_url"]
    assert len(jobs.files_of(job.pk)) == 1
    with default_storage.open(fresh(job).result) as file:
        assert file.read() == b"part 0\npart 1\npart 2\n"
    assert datetime.fromisoformat(data["result_expires_at"]) - datetime.fromisoformat(data["finished_at"]) > DAYS

    Job.objects.update(files_until=ClockTime() - timedelta(seconds=1))
    assert jobs.remove_expired_files() == 1
    data = api.get(f"/api/v1/jobs/{job.pk}").json()["data"]
    assert (data["state"], data["result_url"], data["result_expires_at"]) == ("succeeded", None, None)
    assert jobs.files_of(job.pk) == []
    assert jobs.remove_expired_files() == 0


def test_a_link_serves_as_a_download_that_nobody_caches_until_the_file_is_gone(
    local_files: Any, caller: Caller, owner: Any, client_of: ClientOf, drain: Drain
) -> None:
    job = begin(caller, "test.write")
    drain()
    address = client_of(owner).get(f"/api/v1/jobs/{job.pk}").json()["data"]["result_url"]

    fetched: Any = Client().get(address)
    assert b"".join(fetched.streaming_content) == b"part 0\npart 1\npart 2\n"
    assert fetched.headers["Cache-Control"] == "no-store"
    assert fetched.headers["Content-Disposition"] == 'attachment; filename="whole.txt"'

    Job.objects.update(files_until=ClockTime() - timedelta(seconds=1))
    jobs.remove_expired_files()
    assert Client().get(address).status_code == 404


def test_an_administrator_sees_a_job_but_not_its_result(
    local_files: Any, caller: Caller, owner: Any, admin: Any, client_of: ClientOf, drain: Drain
) -> None:
    open_to_owner, closed = begin(caller, "test.write"), begin(caller, "test.secret")
    drain()

    def url(person: Any, job: Job) -> Any:
        return client_of(person).get(f"/api/v1/jobs/{job.pk}").json()["data"]["result_url"]

    assert url(owner, open_to_owner) is not None
    assert url(admin, open_to_owner) is None
    assert url(owner, closed) is None


@pytest.mark.usefixtures("stored_files")
def test_a_cancelled_job_leaves_no_file(caller: Caller, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SLICE_SECONDS", 0.0)
    job = begin(caller, "test.write")
    run_one_slice()
    assert len(jobs.files_of(job.pk)) == 1

    jobs.cancel_job(actor=caller, job_id=job.pk)
    drain()

    assert jobs.files_of(job.pk) == []


def test_old_jobs_go_but_not_before_their_files(
    local_files: Any, caller: Caller, drain: Drain, settings: Settings
) -> None:
    gone, kept = begin(caller, "test.write"), begin(caller, "test.write")
    drain()
    Job.objects.update(finished_at=ClockTime() - timedelta(days=settings.TRACE_RETENTION_DAYS + 1))
    Job.objects.filter(pk=gone.pk).update(files_until=ClockTime() - timedelta(days=1))

    jobs.remove_expired_files()
    assert purge()["jobs"] == 1
    assert list(Job.objects.values_list("pk", flat=True)) == [kept.pk]
