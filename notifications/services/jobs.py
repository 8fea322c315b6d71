"""Telling people how their jobs ended."""

from uuid import UUID

from django.contrib.auth import get_user_model

from core.jobs import KINDS
from core.models import Job
from core.models.jobs import SUCCEEDED
from notifications.models import Message
from notifications.services.sending import send


def send_job_finished(*, job_id: UUID, dedup_key: str) -> Message | None:
    """Write to the owner of a job that has ended; nothing when its kind does not tell of such an end."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None or job.kind not in KINDS or job.state not in KINDS[job.kind].tells_of:
        return None
    if not get_user_model()._default_manager.filter(pk=job.owner_id).exists():
        return None
    outcome = {"outcome": "succeeded"} if job.state == SUCCEEDED else {"outcome": "failed", "error": job.error}
    variables = {"title": KINDS[job.kind].title, **outcome}
    return send("job.finished", to=job.owner_id, context=variables, dedup_key=dedup_key)
