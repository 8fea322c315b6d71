"""POST /profile/export, the job that it promises, and the link that is mailed."""

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.services import data_export
from accounts.services.users import change_user
from accounts.tests.answers import ClientOf, bearer, error_of, kinds_sent_to, sign_in, tables
from accounts.tests.factories import PASSWORD, access_token_of, create_session
from core import jobs
from core.errors import PermissionDenied
from core.models import Job
from core.models.jobs import FAILED, RUNNING, SUCCEEDED
from core.permissions import SYSTEM, Caller
from core.personal_data import EXPORTERS, PersonalFile, exports_personal_data
from core.tests.spine import Drain, Events
from core.worker import ClockTime
from notifications.tests.smtp import SmtpSink

PATH = "/api/v1/profile/export"
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def _local_files(local_files: Path) -> None:
    """Every test of this file keeps its files in a folder of its own."""


@pytest.fixture
def registry() -> Any:
    """The apps' exporters; what a test adds goes with it."""
    before = dict(EXPORTERS)
    yield EXPORTERS
    EXPORTERS.clear()
    EXPORTERS.update(before)


def exported(job: Job) -> dict[str, bytes]:
    """Return the files of the job's ZIP by name."""
    with default_storage.open(Job.objects.get(pk=job.pk).result) as file, zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def ask(client: Any) -> Job:
    answer = client.post(PATH)
    assert answer.status_code == 202, answer.content
    job = Job.objects.get(pk=answer.json()["data"]["id"])
    assert answer.headers["Location"] == f"/api/v1/jobs/{job.pk}"
    return job


def download(token: str) -> Any:
    """Return the answer to the whole way that the mailed link leads."""
    browser = Client()
    page = browser.post("/data-export", {"token": token})
    (address,) = re.findall(r'href="([^"]+/files/[^"]+)"', page.content.decode())
    return browser.get(address)


def test_everything_about_oneself_and_nobody_else_is_handed_out(
    owner: User, stranger: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    sign_in(anonymous, owner.email)
    sign_in(anonymous, stranger.email)
    client, other = client_of(owner), client_of(stranger)
    client.post("/api/v1/resources", {"name": "Mine", "data": {"word": "own-word"}})
    other.post("/api/v1/resources", {"name": "Theirs", "data": {"word": "other-word"}})

    job = ask(client)
    drain()
    files = exported(job)

    whole = b"".join(files.values()).decode()
    assert json.loads(files["accounts/profile.json"])[0]["email"] == owner.email
    assert [row["data"] for row in json.loads(files["resources/resources.json"])] == [{"word": "own-word"}]
    assert len(json.loads(files["accounts/sessions.json"])) == 2
    assert "user.data_export_requested" in {row["type"] for row in json.loads(files["activity/about-you.json"])}
    assert json.loads(files["activity/jobs.json"])[0]["id"] == str(job.pk)
    for foreign in (stranger.email, str(stranger.pk), "other-word", owner.password, "password"):
        assert foreign not in whole.replace("Passwords", "")


def test_the_readme_says_what_each_file_is(owner: User, client_of: ClientOf, drain: Drain) -> None:
    job = ask(client_of(owner))
    drain()
    files = exported(job)

    readme = files.pop("README.txt").decode()
    assert list(files) == re.findall(r"^(\S+/\S+)$", readme, re.MULTILINE)
    assert "accounts/profile.json\n    Your account: address, name, role, settings.\n" in readme
    assert all(isinstance(json.loads(content), list) for name, content in files.items() if name.endswith(".json"))


def test_it_is_followed_as_a_job_and_fetched_by_its_owner(
    owner: User, client_of: ClientOf, drain: Drain, events: Events
) -> None:
    client = client_of(owner)
    job = ask(client)
    before = client.get(f"/api/v1/jobs/{job.pk}").json()["data"]
    drain()
    after = client.get(f"/api/v1/jobs/{job.pk}").json()["data"]
    file: Any = Client().get(after["result_url"])

    assert (before["kind"], before["state"], before["result_url"]) == ("profile.export", "queued", None)
    assert (after["state"], after["done"]) == ("succeeded", after["total"])
    assert file.headers["Content-Disposition"] == f'attachment; filename="my-data-{datetime.now(UTC):%Y-%m-%d}.zip"'
    assert file.headers["Cache-Control"] == "no-store"
    assert zipfile.ZipFile(BytesIO(b"".join(file))).testzip() is None
    assert len(jobs.files_of(job.pk)) == 1
    assert len(events("user.data_export_requested")) == 1


def test_it_needs_a_recent_sign_in_to_ask_and_to_fetch(owner: User, client_of: ClientOf, drain: Drain) -> None:
    session = create_session(owner, authenticated_at=datetime.now(UTC) - timedelta(minutes=10, seconds=1))
    stale = Client(headers=bearer(access_token_of(session)))
    before = tables()

    assert error_of(stale.post(PATH, {}, "application/json"))["code"] == "REAUTHENTICATION_REQUIRED"
    assert (tables(), Job.objects.count()) == (before, 0)

    job = ask(client_of(owner))
    drain()
    seen = stale.get(f"/api/v1/jobs/{job.pk}").json()["data"]
    assert (seen["state"], seen["result_url"]) == ("succeeded", None)
    assert stale.get("/api/v1/jobs").json()["data"][0]["result_url"] is None


def test_who_acts_as_somebody_else_neither_asks_nor_fetches(owner: User, admin: User, drain: Drain) -> None:
    actor = replace(recent(owner), impersonated_by=admin.pk)

    with pytest.raises(PermissionDenied):
        data_export.request_export(actor=actor)

    assert data_export.may_fetch(recent(owner)) is True
    assert data_export.may_fetch(actor) is False
    assert Job.objects.count() == 0


def test_one_is_made_at_a_time_and_three_a_day(owner: User, client_of: ClientOf, drain: Drain) -> None:
    client = client_of(owner)

    first = ask(client)
    assert ask(client).pk == first.pk
    drain()
    for _ in range(2):
        assert ask(client).pk != first.pk
        drain()
    refused = client.post(PATH)

    assert error_of(refused)["code"] == "RATE_LIMITED"
    assert 86_000 < int(refused.headers["Retry-After"]) <= 86_400
    assert Job.objects.count() == 3
    Job.objects.filter(pk=first.pk).update(created_at=datetime.now(UTC) - timedelta(hours=25))
    assert client.post(PATH).status_code == 202


def test_the_mailed_link_serves_several_times_without_signing_in(
    owner: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink, events: Events
) -> None:
    job = ask(client_of(owner))
    drain()
    token = smtp_sink.token_sent_to(owner.email)
    opened = Client().get("/data-export", {"token": token})
    assert (opened.status_code, events("user.data_export_fetched")) == (200, [])

    contents = [b"".join(download(token)) for _ in range(2)]

    with default_storage.open(Job.objects.get(pk=job.pk).result) as file:
        assert contents == [file.read()] * 2
    assert kinds_sent_to(owner.email) == ["account.data_export"]
    fetched = events("user.data_export_fetched")
    assert [(event.actor, event.payload) for event in fetched] == [(owner.pk, {"job": str(job.pk)})] * 2
    assert token not in json.dumps([event.payload for event in events()])


def lose_file(owner: User) -> None:
    Job.objects.update(files_until=ClockTime() - timedelta(seconds=1))
    jobs.remove_expired_files()


def disable(owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)


def change_password(owner: User) -> None:
    client = Client(headers=bearer(access_token_of(create_session(owner))))
    body = {"current_password": PASSWORD, "new_password": f"{PASSWORD}-2"}
    assert client.post("/api/v1/auth/change-password", body, "application/json").status_code == 200


def export_again(owner: User) -> None:
    job = data_export.request_export(actor=recent(owner))
    while Job.objects.get(pk=job.pk).state != SUCCEEDED:
        jobs.run(job_id=job.pk, turn=Job.objects.get(pk=job.pk).turn)
    data_export.hand_out(job_id=job.pk)


def recent(owner: User) -> Caller:
    return Caller(owner.pk, authenticated_at=datetime.now(UTC))


def move_by_staff(owner: User) -> None:
    change_user(actor=SYSTEM, user_id=owner.pk, changes={"email": "moved@example.com"})


@pytest.mark.parametrize("end", [lose_file, disable, change_password, export_again, move_by_staff])
def test_the_link_ends_with(
    owner: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink, events: Events, end: Callable[[User], None]
) -> None:
    ask(client_of(owner))
    drain()
    token = smtp_sink.token_sent_to(owner.email)

    end(owner)
    refused = Client().post("/data-export", {"token": token})

    assert refused.status_code == 400
    assert "not valid any more" in refused.content.decode()
    assert events("user.data_export_fetched") == []


def test_what_fails_is_told_and_may_be_asked_for_again(
    owner: User, client_of: ClientOf, drain: Drain, registry: dict[str, Any]
) -> None:
    @exports_personal_data("broken", tables=())
    def export(user_id: UUID) -> Any:
        yield PersonalFile("broken.json", rows=({"a": 1 / 0} for _ in range(1)))

    job = ask(client_of(owner))
    drain(ahead=timedelta(hours=1))

    assert Job.objects.get(pk=job.pk).state == FAILED
    assert kinds_sent_to(owner.email) == ["job.finished"]
    del registry["broken"]
    assert ask(client_of(owner)).pk != job.pk


def test_a_stored_file_is_packed_and_one_that_is_gone_is_left_out(
    owner: User, client_of: ClientOf, drain: Drain, registry: dict[str, Any]
) -> None:
    name = default_storage.save("pictures/one.png", ContentFile(b"a picture"))

    @exports_personal_data("pictures", tables=())
    def export(user_id: UUID) -> Any:
        yield PersonalFile("pictures/one.png", stored=name, about="A picture.")
        yield PersonalFile("pictures/two.png", stored="pictures/gone.png")

    job = ask(client_of(owner))
    drain()
    files = exported(job)

    assert files["pictures/one.png"] == b"a picture"
    assert "pictures/two.png" not in files
    assert b"two.png" not in files["README.txt"]
    assert default_storage.exists(name)


def test_a_hundred_thousand_rows_take_little_memory(owner: User, client_of: ClientOf, drain: Drain) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events (type, subject_type, subject_id, payload, audience)"
            " SELECT 'user.seen', 'user', %s, jsonb_build_object('text', repeat(md5(n::text), 20)), '{}'"
            " FROM generate_series(1, 100000) n",
            [str(owner.pk)],
        )
    job = ask(client_of(owner))

    before = peak_memory(reset=True)
    while Job.objects.get(pk=job.pk).state != SUCCEEDED:
        jobs.run(job_id=job.pk, turn=Job.objects.get(pk=job.pk).turn)
    grown = peak_memory() - before

    with default_storage.open(Job.objects.get(pk=job.pk).result) as file, zipfile.ZipFile(file) as archive:
        size = archive.getinfo("activity/about-you.json").file_size
        with archive.open("activity/about-you.json") as lines:
            assert sum(1 for _ in lines) == 100_000 + 3
    assert size > 64 * MIB
    assert grown < 32 * MIB


def peak_memory(*, reset: bool = False) -> int:
    """Return the most bytes that were resident since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


def test_the_job_of_a_person_who_is_gone_leaves_nothing(owner: User, drain: Drain) -> None:
    job = data_export.request_export(actor=recent(owner))
    Job.objects.filter(pk=job.pk).update(state=RUNNING)
    Job.objects.all().delete()

    drain()

    assert jobs.files_of(job.pk) == []
    assert kinds_sent_to(owner.email) == []
