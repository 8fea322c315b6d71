"""When tokens were last used: noted in memory, written at most once a minute each, after an answer has been sent.

No request waits for it, and nobody waits for a row: one that is locked is left for the next use.
"""

import logging
import threading
from typing import Any, Final
from uuid import UUID

from django.core.signals import request_finished
from django.db import DatabaseError, InterfaceError, connection

logger = logging.getLogger(__name__)

_WRITE: Final = """
    UPDATE api_tokens SET last_used_at = statement_timestamp()
    WHERE id IN (
        SELECT id FROM api_tokens
        WHERE id = ANY (%s) AND coalesce(last_used_at < statement_timestamp() - interval '1 minute', true)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
"""

_used: Final[set[UUID]] = set()
_lock: Final = threading.Lock()


def note_use(token_id: UUID) -> None:
    """Remember that the token was used; whichever request ends next in this process writes it down."""
    with _lock:
        _used.add(token_id)


def write_uses() -> None:
    """Write down what was noted; a database that takes no writes now costs a line in the log, and nothing else."""
    with _lock:
        noted = list(_used)
        _used.clear()
    if not noted:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, [noted])
    except (DatabaseError, InterfaceError):
        logger.warning("the last use of tokens was not written", extra={"tokens": len(noted)}, exc_info=True)


def _after_request(**_: Any) -> None:
    if _used:
        write_uses()


request_finished.connect(_after_request, dispatch_uid="accounts.token_uses")
