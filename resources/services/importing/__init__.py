"""Imports: the rows of a file as resources, created or upserted."""

from resources.services.importing.running import CREATE, FORMATS, KIND, MODES, request_import, take_next_rows

__all__ = ["CREATE", "FORMATS", "KIND", "MODES", "request_import", "take_next_rows"]
