"""The jobs of accounts."""

from accounts.services import data_export
from core.jobs import Done, Work, job_kind
from core.models.jobs import FAILED


# Of its success the mail with the link tells.
@job_kind(
    data_export.KIND,
    title="Export of your data",
    in_transaction=False,
    tells_of=(FAILED,),
    may_fetch=data_export.may_fetch,
)
def export_profile(work: Work) -> Done | None:
    """Write a file of the export, or pack them."""
    return data_export.write_next_part(work)
