"""Imports: the rows of a file as resources, created or upserted."""

from resources.services.importing.repeats import forget_ended
from resources.services.importing.running import (
    BY_SUFFIX,
    CREATE,
    FORMATS,
    KIND,
    MODES,
    UPSERT,
    request_import,
    take_next_rows,
)

__all__ = [
    "BY_SUFFIX",
    "CREATE",
    "FORMATS",
    "KIND",
    "MODES",
    "UPSERT",
    "forget_ended",
    "request_import",
    "take_next_rows",
]
