"""Background work of resources."""

from typing import Any

from core.queue import task
from resources.services import file_sweeps


@task(queue="maintenance")
def sweep_files(**_: Any) -> None:
    """Remove files that no resource has had for a day, and stored contents that no row names."""
    file_sweeps.sweep_unattached()
    file_sweeps.sweep_unnamed()
