"""Background work of resources."""

from typing import Any
from uuid import UUID

from core.queue import task
from resources import appearance
from resources.services import file_sweeps, followings, importing, quarantine, reporting, share_sweeps, uploads


@task(queue="maintenance")
def sweep_files(**_: Any) -> None:
    """Remove files that no resource has had for a day, uploads that never came, contents that no row names, and keys
    of dry runs that ended."""
    importing.forget_ended()
    uploads.sweep_unfinished()
    file_sweeps.sweep_unattached()
    file_sweeps.sweep_unnamed()


@task(queue="bulk")
def scan_file(*, version_id: str, tries: int = 0, **_: Any) -> None:
    """Have the scanner look at one version of a file."""
    quarantine.scan_version(UUID(version_id), tries=tries)


@task(queue="maintenance")
def sweep_shares(**_: Any) -> None:
    """Remove shares that expired, and links that opened for the last time, a month ago; and notes that newer ones
    make needless."""
    share_sweeps.remove_ended()
    appearance.forget_older()


@task(queue="maintenance")
def follow_schemas(**_: Any) -> str:
    """Promise a job for records that have yet to follow their schema and whose job was cancelled, or has failed."""
    return f"{followings.resume()} job(s) promised."


@task(queue="bulk")
def make_monthly_reports(**_: Any) -> None:
    """Promise administrators the report on last month's resources, once."""
    reporting.make_monthly_reports()
