"""Whether a resource looks to somebody as it ever did in its version: what an answer of 304 says.

An ETag is the version, whoever asks. A version covers what was written, and neither the owner's name, nor the level of
who asks, nor what a type hides from them, nor what is embedded. When one of those changes, that is noted
(`AppearanceChange`), so that a client is told to keep what it has only where nothing has changed since the version was
written. Where a type hides anything the answer is always whole: no cache can take one person's view for another's.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from resources.access import Asker
from resources.models import AppearanceChange

_IN_FLIGHT: Final = timedelta(minutes=10)
"""Longer than any transaction: what is on its way at a commit bears an earlier time."""

# Of each subject and part the newest is left; of a resource that is gone, nothing.
_FORGET: Final = """
DELETE FROM appearance_changes AS old USING appearance_changes AS newer
WHERE newer.subject = old.subject AND newer.part = old.part
  AND (newer.changed_at, newer.id) > (old.changed_at, old.id)
"""
_FORGET_GONE: Final = """
DELETE FROM appearance_changes
WHERE part <> 'looks' AND NOT EXISTS (SELECT FROM resources WHERE id = subject::uuid)
"""


_SUBJECTS: Final = "resources.type::text, resources.owner_id::text"
_CALLER: Final = ", %s::uuid::text, %s::text"
_SHARED: Final = ", CASE WHEN resources.owner_id <> %s::uuid THEN resources.id::text END"
"""Whose changes are asked about. What is shared changes nothing for the owner."""

# These stand in the statement itself: in a function of PostgreSQL's each of them began a statement of its own. One look
# at the index serves every subject. What is on its way at a commit bears an earlier time: see `_IN_FLIGHT`.
_NONE_CHANGED: Final = """NOT EXISTS (
    SELECT FROM appearance_changes
    WHERE subject = ANY(ARRAY[%s]) AND part <> 'comments' AND changed_at > resources.updated_at - interval '10 minutes'
)"""
_NONE_HIDDEN: Final = """NOT EXISTS (
    SELECT FROM resource_types WHERE key = resources.type AND field_rules IS NOT NULL
)"""
# What an owner gave without an end lasts; the rest may end by time, or with what its giver may.
_NONE_PASSING: Final = """(resources.owner_id = %s::uuid OR NOT EXISTS (
    SELECT FROM shares
    WHERE resource_id = resources.id AND (user_id = %s::uuid OR role_id = (SELECT id FROM roles WHERE name = %s::text))
      AND (expires_at IS NOT NULL OR through_id IS NOT NULL OR given_by_id <> resources.owner_id)
))"""
# It may never have been touched, so any change of it counts.
_NONE_EMBEDDED: Final = """NOT EXISTS (
    SELECT FROM appearance_changes WHERE subject = resources.id::text AND part = ANY(%s::text[])
)"""


def looks_as_ever(asker: Asker, parts: Iterable[str] = ()) -> RawSQL:
    """Return the SQL of whether a row of `resources` looks to `asker` as it did in every answer with its version.

    `parts` are what is embedded and changes beside it (`shares`, `comments`).
    """
    subjects = _SUBJECTS
    values: list[Any] = []
    if asker.user is not None:
        subjects, values = subjects + _CALLER, [asker.user, asker.role]
    if by_share := asker.user is not None and not asker.is_admin:
        subjects, values = subjects + _SHARED, [*values, asker.user]
    conditions = [_NONE_CHANGED % subjects, _NONE_HIDDEN]
    if by_share:
        conditions.append(_NONE_PASSING)
        values += [asker.user, asker.user, asker.role]
    if embedded := sorted(parts):
        conditions.append(_NONE_EMBEDDED)
        values.append(embedded)
    return RawSQL(" AND ".join(conditions), values, BooleanField())  # noqa: S611  # constants of this module


def is_unchanged(since: datetime, *subjects: Any) -> bool:
    """Return whether none of these (people, types) has changed its looks since that moment."""
    changes = AppearanceChange.objects.filter(
        subject__in=[str(one) for one in subjects], changed_at__gt=since - _IN_FLIGHT
    )
    return not changes.exists()


def forget_older() -> None:
    """Remove what a newer change of the same makes needless, and what is of resources that are gone."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET)
        cursor.execute(_FORGET_GONE)
