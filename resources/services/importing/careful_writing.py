"""Rows written one by one, through the same door as requests: for types whose keywords demand it.

Unique values, references, encrypted fields and rules of who may write are seen to there, and nowhere else.
"""

from collections.abc import Sequence

from django.db import transaction

from core.api.errors import as_application_error
from core.errors import Detail
from core.permissions import Caller
from resources.schemas.keywords import Keywords
from resources.services.importing.rows import Row
from resources.services.records import Content, create_resource
from resources.services.upserting import upsert_resource


def needs_care(keywords: Keywords) -> bool:
    """Return whether rows of a type with these keywords have to be written one by one."""
    return bool(keywords.unique or keywords.references or keywords.encrypted or keywords.write or keywords.read)


def write_each(actor: Caller, type_key: str, rows: Sequence[Row], *, replaces: bool, is_dry: bool) -> None:
    """Write each row by itself, and note in the row what it is refused for; a dry run takes each back."""
    for row in rows:
        try:
            with transaction.atomic():
                _write(actor, type_key, row, replaces=replaces)
                transaction.set_rollback(is_dry)
        except Exception as error:
            known = as_application_error(error)
            if known is None:
                raise
            row.faults.extend(known.details or [Detail(None, known.code.lower(), known.text)])


def _write(actor: Caller, type_key: str, row: Row, *, replaces: bool) -> None:
    content = Content(
        row.name,
        description=row.description,
        visibility=row.visibility,
        data=row.data,
        tags=row.tags,
        external_id=row.external_id,
    )
    if replaces:
        upsert_resource(actor=actor, type_key=type_key, content=content)
    else:
        create_resource(actor=actor, type_key=type_key, content=content)
