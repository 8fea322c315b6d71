"""A worker that dies now and then while it sends webhooks is not taken for one that the task kills."""

import threading
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from core import worker
from core.models import OutboxRow
from core.permissions import Caller
from core.queue import enqueue
from notifications.models import WebhookDelivery
from notifications.services import webhooks
from notifications.tests.receiver import Receiver, Reply

TASK = "notifications.tasks.send_webhooks"

pytestmark = pytest.mark.django_db(transaction=True)


class Looking(Receiver):
    """A receiver that looks, at each message, how often the task counts as begun without a word."""

    def __init__(self) -> None:
        super().__init__()
        self.row_id = 0
        self.runs: list[int] = []

    def reply(self) -> Reply:
        with self.lock:
            self.runs.append(OutboxRow.objects.get(pk=self.row_id).runs)
            connection.close()
        return super().reply()


def test_each_answer_that_was_noted_is_progress(owner: Any, settings: Settings) -> None:
    looking = Looking()
    settings.WEBHOOK_ALLOWED_HOSTS = [looking.place]
    serving = threading.Thread(target=looking.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    caller = Caller.of(owner)
    endpoint = webhooks.create_endpoint(actor=caller, url=looking.url, events=["threat.*"]).row
    for _ in range(2):
        webhooks.send_test(actor=caller, endpoint_id=endpoint.pk)
    OutboxRow.objects.all().delete()
    enqueue(TASK)
    row = OutboxRow.objects.get(task=TASK)
    looking.row_id = row.pk
    # Three workers have died of it before.
    OutboxRow.objects.filter(pk=row.pk).update(dispatched_at=row.created_at, runs=3)

    worker.run(row.pk)
    looking.shutdown()
    serving.join()
    looking.server_close()

    assert looking.runs == [4, 1]
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
