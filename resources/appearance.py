"""Whether a resource looks to somebody as it ever did in its version: what an answer of 304 says.

An ETag is the version, whoever asks. A version covers what was written, and neither the owner's name, nor the level of
who asks, nor what a type hides from them, nor what is embedded. When one of those changes, that is noted
(`AppearanceChange`), so that a client is told to keep what it has only where nothing has changed since the version was
written. Where a type hides anything the answer is always whole: no cache can take one person's view for another's.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import BooleanField, F, Func, TextField, UUIDField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

from resources.access import Asker
from resources.models import AppearanceChange

_IN_FLIGHT: Final = timedelta(minutes=10)
"""As in the function: what is on its way at a commit bears an earlier time."""

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


def looks_as_ever(asker: Asker, parts: Iterable[str] = ()) -> Combinable:
    """Return the SQL of whether a row looks to `asker` as it did in every answer with its version.

    `parts` are what is embedded and changes beside it (`shares`, `comments`).
    """
    role = asker.role if isinstance(asker.role, Combinable) else Value(asker.role, TextField())
    user = asker.user if isinstance(asker.user, Combinable) else Cast(Value(asker.user), UUIDField())
    embedded = Cast(Value(sorted(parts), ArrayField(TextField())), ArrayField(TextField()))
    known = (F("id"), F("owner_id"), F("type_id"), F("updated_at"))
    return Func(
        *known, user, role, Value(asker.is_admin), embedded, function="nook_looks_as_ever", output_field=BooleanField()
    )


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
