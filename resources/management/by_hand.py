"""What commands share that carry a job of somebody on themselves: whose it is, how far it is, how it ended."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction
from tqdm import tqdm

from accounts.models import User
from core import jobs
from core.errors import ApplicationError, Conflict
from core.models import Job
from core.models.jobs import SUCCEEDED
from core.permissions import Caller


def owner_of(email: str) -> Caller:
    """Return the person with this address, as the caller that they would be let in as."""
    user = User.objects.able_to_sign_in().select_related("role").filter(email=email).first()
    if user is None:
        raise CommandError(f"Nobody with the address {email} may sign in.")
    return Caller.of(user)


def done_by_hand(make: Callable[[], Job], *, actor: Caller, what: str, to: Any) -> Job:
    """Make the job and carry it on to its end, with a bar; return it. Stopped from the keyboard, it is cancelled."""
    try:
        with transaction.atomic():
            job = make()
            jobs.put_off(job)
    except ApplicationError as refusal:
        told = [f"{detail.field}: {detail.message}" for detail in refusal.details]
        raise CommandError("\n".join(map(harmless, [refusal.text, *told]))) from None
    with tqdm(desc=what, unit="row", disable=None, file=to) as bar:
        try:
            job = jobs.carry_on(job, lambda now: _show(now, bar))
        except KeyboardInterrupt:
            with suppress(Conflict):
                jobs.cancel_job(actor=actor, job_id=job.pk)
            job.refresh_from_db()
    if job.state != SUCCEEDED:
        raise CommandError(f"The job {job.pk} has {job.state} after {job.done:,} row(s). {job.error}".rstrip())
    return job


def _show(job: Job, bar: Any) -> None:
    bar.total = job.total
    bar.update(job.done - bar.n)


def harmless(line: str) -> str:
    """Return the line without what would move the cursor of whoever reads it: files hold what they like."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)
