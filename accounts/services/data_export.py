"""Everything that the system holds about oneself, as a ZIP: asked for, put together by a job, fetched by a link.

Each step of the job writes one of the files that the apps' `personal_data.py` name; the last packs them. The
link that is mailed needs no sign-in, so that it serves on whatever device the mail is read. It is random, kept
as a digest, serves for as long as the file is there, and stops with a new password, a new address and a newer
export. Whoever can read the mailbox could set a new password as well; the link opens no door that was shut.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import orjson
from django.conf import settings
from django.db import transaction

from accounts.models import User
from accounts.services.mails import tell, words
from accounts.services.sessions import locked_owner, require_recent_sign_in
from accounts.services.single_use_tokens import (
    DATA_EXPORT,
    LIFETIMES,
    find_token,
    invalid_token,
    issue_token,
    link_to,
)
from core import jobs
from core.errors import PermissionDenied, RateLimited
from core.events import publish
from core.jobs import Done, JobFailed, Work
from core.models import Job
from core.models.jobs import SUCCEEDED
from core.permissions import Caller
from core.personal_data import PersonalFile, personal_files

KIND: Final = "profile.export"
MOST_A_DAY: Final = 3
_DAY: Final = timedelta(days=1)
_IN_MEMORY: Final = 1024 * 1024
_CHUNK: Final = 64 * 1024
_README: Final = "README.txt"


@transaction.atomic
def request_export(*, actor: Caller) -> Job:
    """Promise the actor their data; one that is under way already is returned instead of another.

    Raises `ReauthenticationRequired`, and `RateLimited` beyond three exports in 24 hours.
    """
    require_recent_sign_in(actor)
    user = locked_owner(actor)
    lately = Job.objects.filter(kind=KIND, owner_id=user.pk, created_at__gt=datetime.now(UTC) - _DAY)
    under_way = lately.unfinished().first()
    if under_way is not None:
        return under_way
    times = list(lately.order_by("created_at").values_list("created_at", flat=True))
    if len(times) >= MOST_A_DAY:
        raise RateLimited(retry_after=(times[-MOST_A_DAY] + _DAY - datetime.now(UTC)).total_seconds())
    publish("user.data_export_requested", subject=user, actor=actor, audience=[user.pk])
    return jobs.create_job(KIND, actor=actor, single_key=str(user.pk))


def may_fetch(caller: Caller) -> bool:
    """Return whether the caller signed in lately enough to be handed the whole of their data."""
    with suppress(PermissionDenied):
        require_recent_sign_in(caller)
        return True
    return False


def write_next_part(work: Work) -> Done | None:
    """Write the next file of the export, or pack the files when all are written: the step of the job."""
    if work.owner_id is None:
        raise JobFailed("An export is somebody's own; this job has no owner.")
    parts: list[dict[str, str]] = work.checkpoint.setdefault("parts", [])
    written = {part["name"] for part in parts}
    files = list(personal_files(work.owner_id))
    wanted = [file for file in files if file.name not in written]
    work.total = len(files) + 1
    work.done = len(parts)
    if not wanted:
        work.done = work.total
        return _packed(work, parts)
    file = wanted[0]
    stored = file.stored or _store_rows(work, file)
    parts.append({"name": file.name, "stored": stored, "about": file.about})
    work.done += 1
    return None


@transaction.atomic
def hand_out(*, job_id: UUID) -> None:
    """Mail the owner of a finished export the link to it; older links stop serving."""
    job = Job.objects.filter(pk=job_id, kind=KIND, state=SUCCEEDED).first()
    if job is None or job.owner_id is None:
        return
    user = User.objects.locked().filter(pk=job.owner_id, is_active=True).first()
    if user is None:
        return
    secret = issue_token(user=user, purpose=DATA_EXPORT)
    tell(user, "account.data_export", link=link_to(DATA_EXPORT, secret), valid_for=words(LIFETIMES[DATA_EXPORT]))


@transaction.atomic
def fetch_export(*, token: str) -> str:
    """Return a link of five minutes to the file that the mailed secret stands for; each use is an event.

    Raises `ValidationFailed` when the secret does not serve any more, or the file is gone.
    """
    found = find_token(secret=token, purposes=(DATA_EXPORT,))
    own = Job.objects.filter(kind=KIND, owner_id=found.user_id, state=SUCCEEDED).exclude(result="")
    job = own.order_by("-finished_at").first()
    if job is None or not found.user.is_active:
        raise invalid_token()
    publish(
        "user.data_export_fetched",
        subject=found.user,
        actor=Caller.of(found.user),
        data={"job": str(job.pk)},
        audience=[found.user_id],
    )
    return jobs.result_url(job)


def _store_rows(work: Work, file: PersonalFile) -> str:
    # In a transaction, because a cursor that outlives one makes the database copy its whole result first.
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as content, transaction.atomic():
        for line in _json_lines(file.rows or iter(())):
            content.write(line)
        content.seek(0)
        return work.save(content, name="part.json")


def _json_lines(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """Yield a JSON array, a row in each line."""
    opening = b"[\n"
    for row in rows:
        yield opening + orjson.dumps(row, default=str, option=orjson.OPT_UTC_Z)
        opening = b",\n"
    yield b"\n]\n" if opening == b",\n" else b"[]\n"


def _packed(work: Work, parts: list[dict[str, str]]) -> Done:
    now = datetime.now(UTC)
    with tempfile.TemporaryFile() as content:
        with ZipFile(content, "w", ZIP_DEFLATED) as archive:
            kept = [part for part in parts if _copy(work, part, archive, now)]
            archive.writestr(_entry(_README, now), _readme(kept, now))
        content.seek(0)
        stored = work.save(content, name="export.zip")
    return Done(stored=stored, filename=f"my-data-{now:%Y-%m-%d}.zip", content_type="application/zip")


def _copy(work: Work, part: dict[str, str], archive: ZipFile, now: datetime) -> bool:
    """Put the stored part into the archive; return whether it was there: a picture may have been changed since."""
    try:
        source: IO[bytes] = work.open(part["stored"])
    except FileNotFoundError:
        return False
    with source, archive.open(_entry(part["name"], now), "w", force_zip64=True) as target:
        shutil.copyfileobj(source, target, _CHUNK)
    return True


def _entry(name: str, now: datetime) -> ZipInfo:
    entry = ZipInfo(name, now.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


def _readme(parts: list[dict[str, str]], now: datetime) -> str:
    lines = [f"{part['name']}\n    {part['about']}".rstrip() for part in parts]
    return (
        f"What {settings.SITE_NAME} holds about you, put together on {now:%Y-%m-%d at %H:%M} UTC.\n\n"
        "The .json files are lists of rows, one in a line, with times in UTC. Passwords, keys and the secrets\n"
        "of links are not in here: they are kept only in forms that nobody can read.\n\n" + "\n".join(lines) + "\n"
    )
