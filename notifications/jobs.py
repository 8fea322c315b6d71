"""The jobs of this floor."""

from core.jobs import Done, Work, job_kind
from notifications.services import fanout


@job_kind(fanout.JOB_KIND, title="Sending of notifications")
def tell_many(work: Work) -> Done | None:
    """Tell the next chunk of people."""
    return fanout.tell_chunk(work)
