"""Telling people how their jobs ended."""

from uuid import UUID

from core.jobs import KINDS
from core.models import Job
from core.models.jobs import SUCCEEDED
from notifications.services.notifying import News, Told, notify


def tell_of_job(*, job_id: UUID, event_id: UUID) -> Told:
    """Tell the owner of a job that has ended; nobody when its kind does not tell of such an end."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None or job.owner_id is None or job.kind not in KINDS or job.state not in KINDS[job.kind].tells_of:
        return Told(0, 0)
    outcome = {"outcome": "succeeded"} if job.state == SUCCEEDED else {"outcome": "failed", "error": job.error}
    news = News(
        "job.finished",
        {"title": KINDS[job.kind].title, **outcome},
        subject=("job", str(job_id)),
        event_id=event_id,
        dedup_key=f"job:{event_id}",
    )
    return notify(news, to=[job.owner_id])
