"""The rows that keywords keep beside the demo's resources, by one statement for each keyword instead of by the door."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection

from resources.demo.types import TYPES
from resources.schemas import Keywords
from resources.services.types import NewType

# The digest of a text as `side_rows.digest_of` has it: the demo's texts are written alike by both.
_UNIQUE_VALUES: Final = """
INSERT INTO resource_unique_values (id, type, path, digest, resource_id)
SELECT nook_uuid7(), type, array_to_string(%(path)s::text[], '.'),
       sha256(convert_to((data #> %(path)s::text[])::text, 'UTF8')), id
FROM resources
WHERE type = %(type)s AND deleted_at IS NULL AND owner_id = ANY(%(people)s) AND data #> %(path)s::text[] IS NOT NULL
ON CONFLICT DO NOTHING
"""
_REFERENCES: Final = """
INSERT INTO resource_references (id, resource_id, path, target_id, on_delete)
SELECT nook_uuid7(), resources.id, array_to_string(%(path)s::text[], '.'), target.id, %(on_delete)s
FROM resources JOIN resources AS target ON target.id = (resources.data #>> %(path)s::text[])::uuid
WHERE resources.type = %(type)s AND resources.owner_id = ANY(%(people)s)
ON CONFLICT DO NOTHING
"""


def keep_side_rows(types: Sequence[str], people: Sequence[UUID]) -> None:
    """Write the unique values and references of the resources of `people` that are of the demo's `types`."""
    for new in TYPES:
        if new.key in types:
            _keep(new, {"type": new.key, "people": list(people)})


def _keep(new: NewType, given: dict[str, Any]) -> None:
    keywords = Keywords.of(new.schema)
    with connection.cursor() as cursor:
        for path in keywords.unique:
            cursor.execute(_UNIQUE_VALUES, {**given, "path": list(path)})
        for one in keywords.references:
            cursor.execute(_REFERENCES, {**given, "path": list(one.path), "on_delete": one.on_delete})
