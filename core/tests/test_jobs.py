"""Jobs: each step is kept whole or not at all, whoever fails, cancels or comes twice."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import models, transaction
from prometheus_client import generate_latest

from core import jobs, worker
from core.errors import Conflict, NotFound
from core.gauges import GaugeCollector
from core.jobs import lifecycle, running
from core.live.readers import readable
from core.models import DeadLetter, Job, OutboxRow
from core.models.jobs import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED
from core.permissions import SYSTEM, Caller
from core.tests.job_kinds import STEPS, TROUBLE, WorkerDied, begin, counted, fresh, run_one_slice
from core.tests.spine import Drain, Events
from core.worker import ClockTime

ClientOf = Callable[[models.Model], Any]
DAYS = timedelta(days=6, hours=23)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    TROUBLE.clear()
    STEPS.clear()
    yield
    TROUBLE.clear()


@pytest.fixture
def caller(owner: Any) -> Caller:
    return Caller.of(owner)


def test_a_job_is_worked_off_in_steps_and_told_of(
    caller: Caller, client_of: ClientOf, owner: Any, drain: Drain, events: Events
) -> None:
    job = begin(caller)
    api = client_of(owner)

    before = api.get(f"/api/v1/jobs/{job.pk}").json()["data"]
    drain()
    after = api.get(f"/api/v1/jobs/{job.pk}").json()["data"]

    assert (before["state"], before["done"], before["total"], before["started_at"]) == ("queued", 0, 30, None)
    assert (after["state"], after["done"], after["total"], after["failed"]) == ("succeeded", 30, 30, 0)
    assert (after["result_url"], after["error"]) == (None, None)
    assert after["created_at"] <= after["started_at"] <= after["finished_at"]
    assert counted() == list(range(30))
    assert [event.type for event in events("job.*")] == ["job.created", "job.started", "job.succeeded"]
    assert all(event.audience == [caller.id] for event in events("job.*"))


def test_a_job_that_was_rolled_back_is_none(caller: Caller, drain: Drain) -> None:
    with transaction.atomic():
        begin(caller)
        transaction.set_rollback(True)

    drain()
    assert (counted(), Job.objects.count()) == ([], 0)


def test_a_long_job_gives_way_after_each_slice(caller: Caller, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SLICE_SECONDS", 0.0)
    one, other = begin(caller), begin(SYSTEM)

    drain()

    assert STEPS[:4] == [str(one.pk), str(other.pk), str(one.pk), str(other.pk)]
    assert [fresh(job).turn for job in (one, other)] == [2, 2]
    assert counted() == sorted([*range(30), *range(30)])


def test_a_step_that_stumbles_leaves_nothing_and_is_taken_again(caller: Caller, drain: Drain) -> None:
    job = begin(caller)
    TROUBLE.append(ValueError("a stone"))

    drain()
    assert (fresh(job).state, fresh(job).done, counted()) == (RUNNING, 0, [])

    drain(ahead=timedelta(minutes=1))
    assert (fresh(job).state, counted()) == (SUCCEEDED, list(range(30)))


def test_a_job_that_fails_for_good_says_so_and_its_dead_letter_carries_it_on(
    caller: Caller, drain: Drain, admin: Any, client_of: ClientOf, owner: Any
) -> None:
    job = begin(caller)
    TROUBLE.extend(ValueError("the password is hunter2") for _ in range(8))

    drain(ahead=timedelta(hours=1))
    shown = client_of(owner).get(f"/api/v1/jobs/{job.pk}").json()["data"]

    assert (shown["state"], shown["error"]["code"]) == ("failed", "internal_error")
    assert "hunter2" not in shown["error"]["message"]
    letter = DeadLetter.objects.get()
    assert "ValueError: the password is hunter2" in letter.traceback
    assert counted() == []

    call_command("dlq", "retry", str(letter.pk), "--yes")
    drain()
    assert (fresh(job).state, fresh(job).error_code, counted()) == (SUCCEEDED, "", list(range(30)))


def test_a_job_that_kills_its_workers_fails(caller: Caller, drain: Drain) -> None:
    job = begin(caller)
    OutboxRow.objects.filter(task="core.tasks.run_job").update(runs=worker.MAX_RUNS)

    drain()

    assert (fresh(job).state, fresh(job).error_code, counted()) == (FAILED, "internal_error", [])


def test_a_job_that_gets_on_outlives_any_number_of_killed_workers(caller: Caller) -> None:
    job = begin(caller, "test.mortal", total=80)
    deaths = 0

    while fresh(job).state not in {SUCCEEDED, FAILED}:
        try:
            run_one_slice()
        except WorkerDied:
            deaths += 1
            OutboxRow.objects.update(due_at=ClockTime() - timedelta(minutes=1))

    assert (fresh(job).state, counted(), deaths) == (SUCCEEDED, list(range(80)), 7)
    assert deaths > worker.MAX_RUNS


def test_a_verdict_is_told_to_the_owner_and_leaves_no_dead_letter(caller: Caller, drain: Drain, events: Events) -> None:
    job = begin(caller, "test.refuse", total=30)

    drain()

    assert (fresh(job).state, fresh(job).error_code, fresh(job).error) == (FAILED, "bad_row", "Row 3 has no name.")
    assert (counted(), DeadLetter.objects.count()) == ([], 0)
    assert events("job.failed")[0].payload["error"] == {"code": "bad_row", "message": "Row 3 has no name."}


def test_staff_let_a_failed_job_go_on(caller: Caller, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SLICE_SECONDS", 0.0)
    job = begin(caller)
    run_one_slice()
    Job.objects.filter(pk=job.pk).update(state=FAILED, finished_at=ClockTime(), error_code="failed", error="No.")
    OutboxRow.objects.all().delete()

    call_command("jobs", "retry", str(job.pk), "--yes")
    drain()

    assert (fresh(job).state, fresh(job).error, counted()) == (SUCCEEDED, "", list(range(30)))
    with pytest.raises(Conflict):
        jobs.retry_job(actor=SYSTEM, job_id=job.pk)


def test_a_job_is_cancelled_between_steps_and_what_was_done_stays(
    caller: Caller, owner: Any, client_of: ClientOf, drain: Drain, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    monkeypatch.setattr(running, "SLICE_SECONDS", 0.0)
    job = begin(caller)
    run_one_slice()
    api = client_of(owner)

    answers = [api.post(f"/api/v1/jobs/{job.pk}/cancel") for _ in range(2)]
    drain()

    assert [(answer.status_code, answer.json()["data"]["state"]) for answer in answers] == [(200, "cancelled")] * 2
    assert (fresh(job).state, counted()) == (CANCELLED, list(range(10)))
    assert len(events("job.cancelled")) == 1


def test_a_job_that_has_ended_is_not_cancelled(caller: Caller, owner: Any, client_of: ClientOf, drain: Drain) -> None:
    job = begin(caller)
    drain()

    answer = client_of(owner).post(f"/api/v1/jobs/{job.pk}/cancel")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert fresh(job).state == SUCCEEDED


def test_another_s_job_is_not_there(
    caller: Caller, stranger: Any, moderator: Any, anonymous: Any, client_of: ClientOf
) -> None:
    job = begin(caller)

    for person in (stranger, moderator):
        assert client_of(person).get(f"/api/v1/jobs/{job.pk}").status_code == 404
        assert client_of(person).post(f"/api/v1/jobs/{job.pk}/cancel").status_code == 404
        assert client_of(person).get("/api/v1/jobs").json()["data"] == []
    assert anonymous.get("/api/v1/jobs").status_code == 401
    with pytest.raises(NotFound):
        jobs.cancel_job(actor=Caller.of(stranger), job_id=job.pk)
    assert fresh(job).state == QUEUED


def test_the_list_is_filtered_and_newest_first(caller: Caller, owner: Any, client_of: ClientOf, drain: Drain) -> None:
    first = begin(caller)
    drain()
    second = begin(caller, "test.write")
    api = client_of(owner)

    def ids(query: str = "") -> list[str]:
        return [job["id"] for job in api.get(f"/api/v1/jobs{query}").json()["data"]]

    assert ids() == [str(second.pk), str(first.pk)]
    assert ids("?state=succeeded") == [str(first.pk)]
    assert ids("?kind=test.write") == [str(second.pk)]
    assert api.get("/api/v1/jobs?state=lost").status_code == 400
    assert api.get("/api/v1/jobs?owner=me").status_code == 400


def test_the_stream_tells_of_a_job_to_its_owner_alone(
    caller: Caller, stranger: Any, drain: Drain, events: Events
) -> None:
    begin(caller)
    drain()
    told = events("job.*")

    assert readable(caller, told) == told
    assert readable(Caller.of(stranger), told) == []


def test_metrics_count_jobs_by_state(caller: Caller, drain: Drain) -> None:
    begin(caller, "test.refuse", total=10)
    drain()
    begin(caller)

    text = generate_latest(GaugeCollector()).decode()

    assert 'nook_jobs{state="queued"} 1.0' in text
    assert 'nook_jobs{state="running"} 0.0' in text
    assert "nook_jobs_failed 1.0" in text


def test_one_person_s_jobs_leave_room_for_another_s(caller: Caller, stranger: Any, drain: Drain) -> None:
    many = [begin(caller, total=10) for _ in range(50)]
    late = jobs.create_job("test.count", actor=Caller.of(stranger), total=10)

    assert OutboxRow.objects.filter(task="core.tasks.run_job").count() == lifecycle.MOST_AT_ONCE + 1
    drain()

    assert len(STEPS) == 51
    assert STEPS.index(str(late.pk)) <= lifecycle.MOST_AT_ONCE
    assert {fresh(job).state for job in (*many, late)} == {SUCCEEDED}


def test_cancelled_and_failed_jobs_make_room_too(caller: Caller, drain: Drain) -> None:
    first, second, third, fourth = (begin(caller, "test.refuse", total=30) for _ in range(4))
    assert [fresh(job).admitted for job in (first, second, third, fourth)] == [True, True, False, False]

    jobs.cancel_job(actor=caller, job_id=first.pk)
    assert [fresh(job).admitted for job in (third, fourth)] == [True, False]

    drain()
    assert [fresh(job).state for job in (second, third, fourth)] == [FAILED] * 3


def test_nobody_piles_up_jobs_without_end(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "MOST_UNFINISHED", 3)
    for _ in range(3):
        begin(caller)

    with pytest.raises(Conflict):
        begin(caller)

    assert Job.objects.count() == 3


def test_of_a_single_job_there_is_one_at_a_time(caller: Caller, drain: Drain) -> None:
    first = begin(caller, single_key="all")
    again = begin(caller, single_key="all")
    other = begin(caller, single_key="others")
    drain()
    later = begin(caller, single_key="all")

    assert first.pk == again.pk
    assert len({first.pk, other.pk, later.pk}) == 3


def test_an_unknown_kind_is_refused_and_one_of_another_release_waits(caller: Caller, drain: Drain) -> None:
    with pytest.raises(LookupError):
        jobs.create_job("test.unheard_of", actor=caller)
    job = begin(caller)
    Job.objects.update(kind="test.of_tomorrow")

    drain()
    assert fresh(job).state == RUNNING
    assert "test.of_tomorrow" in OutboxRow.objects.get(task="core.tasks.run_job").last_error

    Job.objects.update(kind="test.count")
    drain(ahead=timedelta(minutes=2))
    assert fresh(job).state == SUCCEEDED


def test_the_command_lists_and_cancels(caller: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    job = begin(caller)

    call_command("jobs", "list", "--state", "queued")
    listed = capsys.readouterr().out
    call_command("jobs", "cancel", str(job.pk))
    planned = capsys.readouterr().out
    assert fresh(job).state == QUEUED
    call_command("jobs", "cancel", str(job.pk), "--yes")

    assert str(job.pk) in listed
    assert listed.endswith("1 jobs.\n")
    assert planned.endswith("Would cancel 1 jobs; --yes does it.\n")
    assert fresh(job).state == CANCELLED
    with pytest.raises(CommandError, match="1 refused"):
        call_command("jobs", "retry", str(job.pk), "--yes")


def test_staff_cancel_and_retry_on_the_admin_page(caller: Caller, admin: Any, browser_of: Any) -> None:
    running_job, failed = begin(caller), begin(caller)
    Job.objects.filter(pk=failed.pk).update(state=FAILED, finished_at=ClockTime())
    browser = browser_of(admin)

    def act(action: str, job: Job) -> str:
        form = {"action": action, "_selected_action": [str(job.pk)]}
        return str(browser.post("/admin/core/job/", form, follow=True).content.decode())

    assert "1 jobs cancelled." in act("cancel", running_job)
    assert "1 jobs go on." in act("retry", failed)
    assert "This job is queued, not failed." in act("retry", failed)
    assert [fresh(job).state for job in (running_job, failed)] == [CANCELLED, QUEUED]


def test_a_job_has_a_tag_that_its_work_changes(caller: Caller, client_of: ClientOf, owner: Any, drain: Drain) -> None:
    path, api = f"/api/v1/jobs/{begin(caller).pk}", client_of(owner)
    waiting = api.get(path)["ETag"]

    known = api.get(path, headers={"If-None-Match": waiting})
    drain()
    done = api.get(path, headers={"If-None-Match": waiting})

    assert (known.status_code, known.content, known["ETag"]) == (304, b"", waiting)
    assert (done.status_code, done.json()["data"]["state"]) == (200, "succeeded")
    assert api.get(path, headers={"If-None-Match": done["ETag"]}).status_code == 304
