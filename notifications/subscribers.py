"""What the event log makes us say."""

from uuid import UUID

from core.events import subscriber
from core.models import Event
from notifications import services


@subscriber("notifications.welcome", "user.email_verified")
def welcome(event: Event) -> None:
    """Welcome whoever has confirmed their address: once, also when the log is replayed."""
    services.send_to_user("account.welcome", user_id=UUID(event.subject_id), dedup_key=f"welcome:{event.subject_id}")


@subscriber("notifications.jobs", "job.succeeded", "job.failed")
def tell_of_job(event: Event) -> None:
    """Tell the owner how their job ended, if its kind is of those that tell."""
    services.send_job_finished(job_id=UUID(event.subject_id), dedup_key=f"job:{event.id}")
