"""What the parent of a worker's pool knows of a child that was killed: it alone hears from the kernel how it ended."""

import logging
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request
from django.db import DatabaseError, InterfaceError, connection

from core.worker import note_lost

logger = logging.getLogger(__name__)


class WatchedRequest(Request):  # type: ignore[misc]  # Celery has no types
    """A request that writes down how its child ended."""

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Note a lost child, then do what Celery does: give the message back."""
        lost = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(lost, WorkerLostError):
            _note(self.args, lost)
        return super().on_failure(exc_info, *args, **kwargs)


def _note(arguments: Any, lost: WorkerLostError) -> None:
    try:
        note_lost(arguments[0], reason=str(lost))
    except (DatabaseError, InterfaceError):
        logger.warning("lost worker not noted", exc_info=True)
    finally:
        # Children are forked from this process: they must not share its connection.
        connection.close()
