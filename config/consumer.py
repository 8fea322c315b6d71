"""The worker's consumer, without what we have no use for."""

from typing import ClassVar

from celery.worker.consumer import consumer


class Consumer(consumer.Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer, less its delayed delivery.

    That step makes 28 exchanges and 28 quorum queues in RabbitMQ at every start, for tasks with an ETA; ours
    wait in the outbox.
    """

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]  # as above
        default_steps: ClassVar[list[str]] = [
            step for step in consumer.Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        ]
