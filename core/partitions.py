"""The months of the event log: made ahead of time, archived when they are old."""

from datetime import UTC, datetime
from typing import Final

from django.db import connection, transaction

from core import events
from core.permissions import SYSTEM

AHEAD: Final = 3

_MONTHS: Final = r"""
SELECT child.relname FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'events'::regclass AND child.relname ~ '^events_\d{4}_\d{2}$' ORDER BY child.relname
"""


def months() -> list[str]:
    """Return the names of the monthly partitions, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS)
        return [name for (name,) in cursor.fetchall()]


@transaction.atomic
def make_partitions(*, ahead: int = AHEAD) -> list[str]:
    """Make the partitions of this month and the next `ahead` ones; return the names of the new ones."""
    before = set(months())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nook_make_events_partition((now() AT TIME ZONE 'UTC' + make_interval(months => n))::date)"
            " FROM generate_series(0, %s) n",
            [ahead],
        )
    return sorted(set(months()) - before)


def months_to_archive(*, retain_months: int) -> list[str]:
    """Return the partitions that are older than the newest `retain_months` months, this one included."""
    now = datetime.now(UTC)
    year, month = divmod(now.year * 12 + now.month - retain_months, 12)
    return [name for name in months() if name < f"events_{year:04d}_{month + 1:02d}"]


@transaction.atomic
def archive_months(*, retain_months: int) -> list[str]:
    """Detach the old partitions; they stay as tables, for the operator to dump and drop. Return their names.

    The log itself says so, and that entry is what lets `audit_verify` take these months for archived
    and not for removed.
    """
    names = months_to_archive(retain_months=retain_months)
    for name in names:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE events DETACH PARTITION {connection.ops.quote_name(name)}")
        until = _end_of(name)
        events.publish(
            "audit.archived", subject=None, actor=SYSTEM, data={"partition": name, "until": until.isoformat()}
        )
    return names


def _end_of(name: str) -> datetime:
    _, year, month = name.split("_")
    following = int(year) * 12 + int(month)
    return datetime(following // 12, following % 12 + 1, 1, tzinfo=UTC)
