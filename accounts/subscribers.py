"""What accounts hear on the event log: exports that are ready, and the threat rules, each a subscriber of its own."""

from uuid import UUID

from accounts.services import data_export, threat_rules
from core.events import subscriber
from core.models import Event

__all__ = ["hand_out_export", "threat_rules"]


@subscriber("accounts.data_export", "job.succeeded")
def hand_out_export(event: Event) -> None:
    """Mail the link to an export that is ready."""
    if event.payload.get("kind") == data_export.KIND:
        data_export.hand_out(job_id=UUID(event.subject_id))
