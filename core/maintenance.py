"""What the database needs beside autovacuum: statistics of every table, and a look at what has gone wrong in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db import DatabaseError, connection, transaction
from psycopg import sql

from core.doctor import database
from core.doctor.findings import Finding

# Autovacuum never analyses a partitioned table itself, and it comes to a table that is only read or restored from a
# dump late or not at all: without statistics an index stays unused.
_TABLES: Final = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND pg_has_role(relowner, 'USAGE')
ORDER BY relname
"""

LOOKS: Final[tuple[Callable[[], Finding], ...]] = (
    database.bloat,
    database.broken_indexes,
    database.unused_indexes,
    database.foreign_keys_without_index,
    database.scanned_tables,
    database.transaction_ids,
)


@dataclass(frozen=True, slots=True)
class Report:
    """The tables that were analysed, those that somebody held too long, and what was found."""

    analysed: tuple[str, ...]
    busy: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def concerns(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level != "green")

    def __str__(self) -> str:
        held = f", {len(self.busy)} were busy ({', '.join(self.busy)})" if self.busy else ""
        told = "".join(f"\n{one.subject}: {one.found}. {one.advice}" for one in self.concerns)
        return (
            f"{len(self.analysed)} tables analysed{held}; {len(self.concerns)} of {len(self.findings)} concern.{told}"
        )


def maintain() -> Report:
    """Analyse every table that this role owns, each in its own transaction, then look."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = [name for (name,) in cursor.fetchall()]
    analysed = {name: _analyse(name) for name in tables}
    return Report(
        tuple(name for name, is_done in analysed.items() if is_done),
        tuple(name for name, is_done in analysed.items() if not is_done),
        look(),
    )


def look() -> tuple[Finding, ...]:
    """Return what is to be said of tables and indexes."""
    return tuple(check() for check in LOOKS)


def _analyse(table: str) -> bool:
    """Return whether the table was analysed: not where somebody else holds it for longer than locks are waited for."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


_LOCK_NOT_AVAILABLE: Final = "55P03"
