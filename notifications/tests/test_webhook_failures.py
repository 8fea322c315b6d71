"""What a receiver does not take: tried again, given up, switched off."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.models import Event
from notifications.models import Message, WebhookDelivery, WebhookEndpoint
from notifications.models.webhooks import RETRY_SECONDS
from notifications.tests.receiver import Receiver, Reply
from notifications.tests.webhook_steps import PATH, ClientOf, Drain, later, made, new_resource, outcomes


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply(302, headers=(("Location", "http://169.254.169.254/"),)), Reply(404)]
)
def test_what_is_not_taken_is_tried_again_under_the_same_id(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver, reply: Reply
) -> None:
    client = client_of(owner)
    endpoint = made(client, receiver.url)
    receiver.replies.append(reply)
    new_resource(client)
    drain()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, len(receiver.messages)) == ("queued", 1)
    assert delivery.next_attempt_at is not None
    assert timedelta(seconds=3) < delivery.next_attempt_at - timezone.now() < timedelta(seconds=7)

    later(drain)

    first, second = receiver.messages
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    second.verified(endpoint["secret"])
    assert outcomes(delivery) == [(1, "refused", reply.status), (2, "answered", 204)]


def test_retry_after_is_obeyed_within_bounds(owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver) -> None:
    client = client_of(owner)
    made(client, receiver.url)
    receiver.replies.extend(
        [Reply(429, headers=(("Retry-After", "600"),)), Reply(503, headers=(("Retry-After", "9" * 9),))]
    )
    new_resource(client)

    waits = []
    for passes in (drain, lambda: later(drain)):
        passes()
        next_attempt_at = WebhookDelivery.objects.get().next_attempt_at
        assert next_attempt_at is not None
        waits.append((next_attempt_at - timezone.now()).total_seconds())

    assert 590 < waits[0] <= 600
    assert 35_900 < waits[1] <= 36_000


def test_after_eight_retries_over_a_day_it_is_given_up_and_its_owner_told(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver, events: Callable[..., list[Event]]
) -> None:
    client = client_of(owner)
    made(client, receiver.url)
    receiver.always = Reply(400)
    new_resource(client)

    drain()
    for _ in RETRY_SECONDS:
        later(drain)
    later(drain)

    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempt_count, len(receiver.messages)) == ("failed", 9, 9)
    assert len({message.headers["webhook-id"] for message in receiver.messages}) == 1
    assert 20 * 3600 < sum(RETRY_SECONDS) < 28 * 3600
    assert [message.kind for message in Message.objects.filter(recipient=owner)] == ["webhook.failing"]
    (told,) = events("webhook.delivery_failed")
    assert (told.audience, told.payload["status"]) == ([owner.pk], 400)


def test_a_receiver_that_is_gone_is_switched_off_at_once(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver, smtp_sink: Any
) -> None:
    client = client_of(owner)
    endpoint = made(client, receiver.url)
    receiver.replies.append(Reply(410))
    new_resource(client)
    drain()
    new_resource(client)
    drain()

    shown = client.get(f"{PATH}/{endpoint['id']}").json()["data"]
    assert len(receiver.messages) == 1
    assert (shown["active"], shown["disabled_reason"]) == (False, "its receiver says that it is gone for good (410)")
    assert [mail["Subject"] for mail in smtp_sink.to(owner.email)] == ["A webhook of yours was switched off"]
    assert WebhookDelivery.objects.get().state == "failed"


def test_five_days_of_failure_switch_it_off_and_not_less(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    client = client_of(owner)
    endpoint = made(client, receiver.url)
    receiver.always = Reply(400)
    new_resource(client)
    drain()
    rows = WebhookEndpoint.objects.filter(pk=endpoint["id"])

    rows.update(failing_since=timezone.now() - timedelta(days=4, hours=23))
    later(drain)
    assert rows.get().is_active
    rows.update(failing_since=timezone.now() - timedelta(days=5, minutes=1))
    later(drain)

    assert (rows.get().is_active, rows.get().disabled_reason) == (False, "it has failed for 5 days")
    assert Message.objects.filter(kind="webhook.disabled", recipient=owner).count() == 1


def test_a_success_ends_the_failing(owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver) -> None:
    client = client_of(owner)
    endpoint = made(client, receiver.url)
    receiver.replies.append(Reply(500))
    new_resource(client)
    drain()
    assert client.get(f"{PATH}/{endpoint['id']}").json()["data"]["failing_since"] is not None

    later(drain)

    shown = client.get(f"{PATH}/{endpoint['id']}").json()["data"]
    assert (shown["failing_since"], shown["last_success_at"] is not None) == (None, True)
