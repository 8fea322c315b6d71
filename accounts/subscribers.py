"""What accounts do about what happens elsewhere."""

from uuid import UUID

from accounts.services import data_export
from core.events import subscriber
from core.models import Event


@subscriber("accounts.data_export", "job.succeeded")
def hand_out_export(event: Event) -> None:
    """Mail the link to an export that is ready."""
    if event.payload.get("kind") == data_export.KIND:
        data_export.hand_out(job_id=UUID(event.subject_id))
