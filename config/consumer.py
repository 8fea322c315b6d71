"""The worker's consumer, without what we have no use for, and quick to come back to its broker."""

import logging
from typing import Any, ClassVar

from celery.worker.consumer import consumer
from celery.worker.state import maybe_shutdown
from kombu.connection import Connection

logger = logging.getLogger(__name__)


class Consumer(consumer.Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer, less its delayed delivery and its long pauses.

    Delayed delivery makes 28 exchanges and 28 quorum queues in RabbitMQ at every start, for tasks with an ETA; ours
    wait in the outbox. The pauses between tries to reach a lost broker grow to half a minute; ours to two seconds.
    """

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]  # as above
        default_steps: ClassVar[list[str]] = [
            step for step in consumer.Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        ]

    def ensure_connected(self, conn: Connection) -> Any:
        """Return the connection once the broker answers."""
        conn.ensure_connection(
            _say_that_it_is_away, interval_start=0.5, interval_step=0.5, interval_max=2, callback=maybe_shutdown
        )
        return super().ensure_connected(conn)


def _say_that_it_is_away(error: Exception, pause: float) -> None:
    logger.warning("broker out of reach", extra={"error": str(error), "retry_in": pause})
