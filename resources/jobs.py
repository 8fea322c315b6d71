"""The jobs of resources."""

from core.jobs import Done, Work, job_kind
from core.models.jobs import FAILED, SUCCEEDED
from resources.services import exporting, following, importing, indexes, reporting, search_index, share_following


@job_kind(exporting.KIND, title="Export of resources", in_transaction=False, tells_of=(SUCCEEDED, FAILED))
def export_resources(work: Work) -> Done | None:
    """Write a part of the export, or join the parts."""
    return exporting.write_next_part(work)


@job_kind(importing.KIND, title="Import of resources", tells_of=(SUCCEEDED, FAILED))
def import_resources(work: Work) -> Done | None:
    """Write some thousand rows."""
    return importing.take_next_rows(work)


@job_kind(indexes.KIND, title="Indexes of resource types", queue="maintenance", in_transaction=False)
def build_indexes(work: Work) -> Done | None:
    """Build an index that a type asks for, or drop one that none does."""
    return indexes.build_next(work)


@job_kind(search_index.KIND, title="Search of a resource type", queue="maintenance")
def reindex_search(work: Work) -> Done | None:
    """Write the search vectors of some rows anew."""
    return search_index.reindex_next(work)


@job_kind(following.KIND, title="Records after a change of their type", queue="maintenance", tells_of=(FAILED,))
def follow_schema(work: Work) -> Done | None:
    """Seal, open and index some records, as their type says now."""
    return following.follow_next(work)


@job_kind(share_following.KIND, title="Shares after a change of their type", queue="maintenance")
def follow_shares(work: Work) -> Done | None:
    """Let some shares keep the values that their type says now."""
    return share_following.follow_next(work)


@job_kind(reporting.KIND, title="Report", in_transaction=False, tells_of=(SUCCEEDED, FAILED))
def make_report(work: Work) -> Done | None:
    """Make the report."""
    return reporting.write_report(work)
