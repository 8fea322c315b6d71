"""What tables repeat of one another, why, and whether it still agrees with what it repeats.

Every app says so in its `denormalised.py`. Triggers and services keep each of these; a table that was loaded past
them, or an extension that writes SQL of its own, is what `manage.py check_denormalised` finds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction
from django.utils.module_loading import autodiscover_modules


@dataclass(frozen=True, slots=True)
class Repeated:
    """A column (or a table of copies) that repeats what stands elsewhere.

    `count_wrong` returns how many rows disagree, and may read whole tables; without it the column tells of its own
    time, and there is nothing left to compare it with. `mend` writes what is wrong anew and returns how many rows
    it wrote; `mended_by` names the command that does where that is one of its own.
    """

    column: str
    repeats: str
    count_wrong: Callable[[], int] | None = None
    mend: Callable[[], int] | None = None
    mended_by: str = ""


_REGISTERED: Final[list[Repeated]] = []


def repeats(*columns: Repeated) -> None:
    """Register what the tables of an app repeat."""
    _REGISTERED.extend(columns)


def registered() -> tuple[Repeated, ...]:
    """Return what all apps have registered."""
    autodiscover_modules(__name__.rpartition(".")[2])
    return tuple(_REGISTERED)


def counting(wrong: str) -> Callable[[], int]:
    """Return what counts the rows of a query, however long that takes."""
    return _running(f"SELECT count(*) FROM ({wrong}) AS wrong", is_count=True)  # noqa: S608  # written by developers


def rewriting(statement: str) -> Callable[[], int]:
    """Return what runs a statement that mends, and tells how many rows it wrote."""
    return _running(statement, is_count=False)


def _running(statement: str, *, is_count: bool) -> Callable[[], int]:
    @transaction.atomic
    def run() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(statement)
            return int(cursor.fetchone()[0] if is_count else cursor.rowcount)

    return run


repeats(
    Repeated("events.payload", "names and values at that time"),
    Repeated("dead_letters.*", "the outbox row that was given up"),
)
