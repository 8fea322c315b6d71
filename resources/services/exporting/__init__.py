"""Exports: what a list shows, as a file."""

from resources.services.exporting.running import FORMATS, KIND, request_export, write_next_part

__all__ = ["FORMATS", "KIND", "request_export", "write_next_part"]
