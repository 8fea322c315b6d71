"""What is wrong with a running installation, and what to do about it: the checks behind `manage.py doctor`.

An app that has something to look at says so in its `doctor.py`.
"""

from collections.abc import Callable, Iterator
from typing import Final

from django.db import DatabaseError, InterfaceError, connection
from django.utils.module_loading import autodiscover_modules

from core.doctor import database, machine, stores, work
from core.doctor.findings import Finding, bad

__all__ = ["CHECKS", "Finding", "doctor_check", "examine"]

Check = Callable[[], Finding]

CHECKS: Final[list[Check]] = [
    database.reachable,
    database.encryption,
    database.replicas,
    database.migrations,
    database.sessions,
    database.stuck_sessions,
    database.broken_indexes,
    database.foreign_keys_without_index,
    database.unused_indexes,
    database.scanned_tables,
    database.slow_queries,
    database.buffer_hits,
    database.bloat,
    database.transaction_ids,
    stores.cache,
    stores.state,
    stores.cache_hits,
    stores.broker,
    stores.files,
    stores.scanner,
    stores.breakers,
    work.outbox,
    work.dead_letters,
    work.schedules,
    work.audit_seal,
    work.audit_rights,
    work.partitions,
    machine.clock,
    machine.disk,
    machine.memory,
]


def doctor_check(check: Check) -> Check:
    """Register a check of an app."""
    CHECKS.append(check)
    return check


def examine() -> Iterator[Finding]:
    """Yield what each check found; a check that cannot look is a finding too."""
    autodiscover_modules(__name__.rpartition(".")[2])
    for check in CHECKS:
        try:
            yield check()
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            subject = check.__name__.replace("_", " ")
            yield bad(subject, f"cannot look: {str(error).splitlines()[0]}", "Make the database reachable first.")
