"""What staff decide (types, roles, …) as files: exported, compared and applied, so that environments do not drift.

Every app says what it has in its `configuration.py`, which is imported when the server starts:

    class Roles(Part):
        name = "roles"
        …

    register(Roles())

Secrets are no configuration and never stand in a document.
"""

from core.configuration.folder import Written, read_folder, write_folder
from core.configuration.parts import PARTS, Document, Part, complete_document, register
from core.configuration.plan import Change, apply_changes, changes_between

__all__ = [
    "PARTS",
    "Change",
    "Document",
    "Part",
    "Written",
    "apply_changes",
    "changes_between",
    "complete_document",
    "read_folder",
    "register",
    "write_folder",
]
