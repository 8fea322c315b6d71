"""A broker that delivers too often: sends every message twice more, out of order, until it is killed.

Run in the environment of the house whose broker it is to be.
"""

import random
import time
from typing import Final

import django
from celery import Celery, current_app
from kombu.messaging import Producer

ROUND_SECONDS: Final = 0.2
LATEST_SECONDS: Final = 4.0
"""So long after a message its copies may come: most are worked off by then."""


def _repeat(app: Celery) -> None:
    from core.models import OutboxRow
    from core.relay import queue_name

    last, waiting = 0, list[tuple[float, int, str]]()
    with app.connection_for_write() as broker, broker.channel() as channel:
        producer = Producer(channel)
        while True:
            for row in OutboxRow.objects.exclude(dispatched_at=None).filter(id__gt=last).order_by("id"):
                last = row.id
                moments = [time.monotonic() + random.uniform(0, LATEST_SECONDS) for _ in range(2)]
                waiting += [(moment, row.id, queue_name(row.queue)) for moment in moments]
            due = [one for one in waiting if one[0] <= time.monotonic()]
            waiting = [one for one in waiting if one not in due]
            for _, outbox_id, queue in random.sample(due, len(due)):
                app.send_task("core.run", args=[outbox_id], queue=queue, producer=producer, retry=False)
            time.sleep(ROUND_SECONDS)


if __name__ == "__main__":
    django.setup()
    current_app.loader.import_default_modules()
    _repeat(current_app._get_current_object())
