"""Background work of resources."""

from typing import Any

from core.queue import task
from resources.services import file_sweeps, uploads


@task(queue="maintenance")
def sweep_files(**_: Any) -> None:
    """Remove files that no resource has had for a day, uploads that never came, and contents that no row names."""
    uploads.sweep_unfinished()
    file_sweeps.sweep_unattached()
    file_sweeps.sweep_unnamed()
