"""Named locks: one transaction at a time, where there is no row to lock because it is about to be made.

    _REGISTERING = NamedLock("devices")

    _REGISTERING.hold(of=user_id)          # waits for whoever holds it
    if Device.objects.filter(…).count() >= MAX_DEVICES: …

It is PostgreSQL's own (advisory) lock, so it holds among all processes, and through a pooler. From `hold` on it is
held until the transaction at hand ends, by commit or otherwise; nothing gives it back sooner. It waits no longer than
the `lock_timeout` of the connection. Whoever takes several takes them in the order of their names.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

_HOLD = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_HOLD_IF_FREE = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, slots=True)
class NamedLock:
    """A lock of the whole installation, or one for each of what it is held `of`."""

    name: str

    def hold(self, *, of: UUID | str | None = None) -> None:
        """Wait until nobody else holds it, then hold it until the transaction ends."""
        self._ask(_HOLD, of)

    def hold_if_free(self, *, of: UUID | str | None = None) -> bool:
        """Hold it until the transaction ends, unless somebody else does; return whether it is held."""
        return bool(self._ask(_HOLD_IF_FREE, of))

    def _ask(self, statement: str, of: UUID | str | None) -> object:
        if not connection.in_atomic_block:
            # It would be given back before the next statement.
            raise transaction.TransactionManagementError(f"{self.name} can only be held in a transaction.")
        with connection.cursor() as cursor:
            cursor.execute(statement, [self.name if of is None else f"{self.name}:{of}"])
            return cursor.fetchone()[0]
