"""Each endpoint is a lane of its own: who hangs delays nobody else, and is asked by few at a time."""

import time
from collections.abc import Callable
from statistics import quantiles
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from core.permissions import Caller
from notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from notifications.services import webhooks
from notifications.services.webhooks.claims import LANE_WIDTH
from notifications.services.webhooks.dispatch import left_behind
from notifications.services.webhooks.events import write_deliveries
from notifications.tests.receiver import Receiver, Reply
from notifications.tests.webhook_steps import in_threads

pytestmark = pytest.mark.django_db(transaction=True)

HANGING = Reply(pause=3)


@pytest.fixture(autouse=True)
def _timeout(settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 2
    settings.WEBHOOKS_PER_USER = 100


def endpoint_at(owner: Any, receiver: Receiver, *, is_proven: bool = True) -> WebhookEndpoint:
    row = webhooks.create_endpoint(actor=Caller.of(owner), url=receiver.url, events=["threat.*"]).row
    if is_proven:
        WebhookEndpoint.objects.filter(pk=row.pk).update(last_success_at=timezone.now())
    return row


def tests_for(owner: Any, *endpoints: WebhookEndpoint) -> None:
    for endpoint in endpoints:
        webhooks.send_test(actor=Caller.of(owner), endpoint_id=endpoint.pk)


def wait_for_the_slow() -> None:
    until = time.monotonic() + 60
    while left_behind() and time.monotonic() < until:
        time.sleep(0.02)
    assert left_behind() == 0


def latencies(owner: Any, endpoint: WebhookEndpoint, receiver: Receiver, count: int) -> list[float]:
    """Return how long each of some events took to its receiver."""
    found = []
    for number in range(count):
        started = time.monotonic()
        tests_for(owner, endpoint)
        webhooks.send_due()
        assert len(receiver.messages) == number + 1
        found.append(receiver.messages[-1].at - started)
    return found


def test_the_healthy_are_as_quick_beside_many_that_hang_as_alone(owner: Any, receivers: Callable[[], Receiver]) -> None:
    healthy, alone, hanging = receivers(), receivers(), receivers()
    hanging.always = HANGING
    by_itself = latencies(owner, endpoint_at(owner, alone), alone, 10)
    slow = [endpoint_at(owner, hanging, is_proven=False) for _ in range(20)]
    for _ in range(5):
        tests_for(owner, *slow)

    bound = quantiles(by_itself, n=10)[-1] + 0.5
    beside = latencies(owner, endpoint_at(owner, healthy), healthy, 10)
    if quantiles(beside, n=10)[-1] >= bound:  # once more: a busy machine only ever adds
        again = receivers()
        tests_for(owner, *slow)
        beside = latencies(owner, endpoint_at(owner, again), again, 10)

    wait_for_the_slow()
    assert quantiles(beside, n=10)[-1] < bound
    assert hanging.messages
    assert WebhookDelivery.objects.filter(endpoint__in=slow, state="delivered").count() == 0


def test_a_worker_waits_a_second_for_the_slow_and_their_answers_are_noted_all_the_same(
    owner: Any, receiver: Receiver
) -> None:
    receiver.always = HANGING
    tests_for(owner, endpoint_at(owner, receiver))

    started = time.monotonic()
    assert webhooks.send_due() == 1
    assert time.monotonic() - started < 1.9

    assert WebhookAttempt.objects.count() == 0
    wait_for_the_slow()
    attempt = WebhookAttempt.objects.get()
    assert (attempt.outcome, attempt.answer) == ("unreachable", "The answer took too long.")
    assert WebhookDelivery.objects.get().state == "queued"


def test_an_endpoint_is_sent_few_at_a_time_and_a_new_one_a_single_one(
    owner: Any, receivers: Callable[[], Receiver]
) -> None:
    proven, unproven = receivers(), receivers()
    proven.always = unproven.always = Reply(pause=0.05)
    first, second = endpoint_at(owner, proven), endpoint_at(owner, unproven, is_proven=False)
    unproven.replies.extend([Reply(500, pause=0.05)] * 4)
    for _ in range(12):
        tests_for(owner, first)
    for _ in range(4):
        tests_for(owner, second)

    webhooks.send_due()

    assert (len(proven.messages), proven.most_at_once) == (12, LANE_WIDTH)
    assert (len(unproven.messages), unproven.most_at_once) == (4, 1)


def test_an_endpoint_that_keeps_failing_is_left_alone_and_loses_no_attempt_by_it(
    owner: Any, receiver: Receiver
) -> None:
    receiver.always = Reply(500)
    endpoint = endpoint_at(owner, receiver)
    for _ in range(30):
        tests_for(owner, endpoint)

    webhooks.send_due()

    endpoint.refresh_from_db()
    assert endpoint.paused_until is not None
    assert endpoint.paused_until > timezone.now()
    # Five open the circuit; those that were under way beside the fifth come on top.
    assert 5 <= len(receiver.messages) <= 5 + LANE_WIDTH
    counted = sum(WebhookDelivery.objects.values_list("attempt_count", flat=True))
    assert counted == len(receiver.messages) == WebhookAttempt.objects.count()
    assert webhooks.send_due() == 0


def test_two_workers_never_take_the_same_delivery(owner: Any, receiver: Receiver) -> None:
    endpoint = endpoint_at(owner, receiver)
    for _ in range(40):
        tests_for(owner, endpoint)

    in_threads(4, webhooks.send_due)

    ids = [message.headers["webhook-id"] for message in receiver.messages]
    assert (len(ids), len(set(ids)), receiver.most_at_once <= LANE_WIDTH) == (40, 40, True)


def test_a_delivery_of_the_same_event_twice_at_once_is_one_row(owner: Any, receiver: Receiver) -> None:
    endpoint, event = endpoint_at(owner, receiver), uuid4()

    def write() -> None:
        with transaction.atomic():
            write_deliveries({endpoint: "{}"}, event_id=event, type_="webhook.test")

    in_threads(10, write)

    assert WebhookDelivery.objects.filter(event_id=event).count() == 1
