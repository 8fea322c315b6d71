"""Events on their way to a receiver: signed, once for each endpoint, for whoever may read them, and sent again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks.webhooks import WebhookVerificationError

from core.events import SUBSCRIBERS
from core.models import Event, OutboxRow
from notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from notifications.services import webhooks
from notifications.services.webhooks.signing import new_secret
from notifications.tests.receiver import Receiver, Reply
from notifications.tests.webhook_steps import DAY, PATH, ClientOf, Drain, later, made, new_resource, outcomes


def test_an_event_arrives_signed_as_the_public_package_reads_it(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    client = client_of(owner)
    endpoint = made(client, receiver.url)
    resource = new_resource(client)
    drain()

    (message,) = receiver.messages
    event = Event.objects.get(type="resource.created")
    assert message.verified(endpoint["secret"]) == {
        "type": "resource.created",
        "timestamp": message.json["timestamp"],
        "version": 1,
        "data": {
            "id": str(event.id),
            "subject": {"type": "resource", "id": resource},
            "actor": str(owner.pk),
            "changed": message.json["data"]["changed"],
        },
    }
    assert message.headers["content-type"] == "application/json"
    assert message.headers["webhook-id"] == f"msg_{event.id.hex}"
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, outcomes(delivery)) == ("delivered", [(1, "answered", 204)])
    with pytest.raises(WebhookVerificationError):
        message.verified(new_secret())


def test_nothing_of_what_a_resource_holds_is_in_the_payload(
    owner: Any, admin: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    made(client_of(owner), receiver.url, "*")
    made(client_of(admin), f"{receiver.url}/admin", "*")
    new_resource(client_of(owner), data={"salary": "seventy thousand"}, description="A secret plan")
    drain()

    assert {message.path for message in receiver.messages} == {"/hook", "/hook/admin"}
    assert not any(word in message.body for message in receiver.messages for word in (b"seventy", b"secret plan"))


def test_of_a_field_that_somebody_may_not_read_they_are_not_even_told_that_it_changed(
    owner: Any, stranger: Any, admin: Any, client_of: ClientOf, drain: Drain, receivers: Callable[[], Receiver]
) -> None:
    theirs, admins = receivers(), receivers()
    properties = {"title": {"type": "string"}, "salary": {"type": "string", "x-read": ["moderator"]}}
    answer = client_of(admin).post(
        "/api/v1/resource-types",
        {"key": "post", "name": "Post", "schema": {"type": "object", "properties": properties}},
    )
    assert answer.status_code == 201, answer.content
    made(client_of(stranger), theirs.url)
    made(client_of(admin), admins.url)
    hidden = {"title": "Gardener", "salary": "seventy thousand"}
    resource = new_resource(client_of(admin), type="post", data=hidden, visibility="internal")
    client_of(admin).patch(f"/api/v1/resources/{resource}", {"data": {"salary": "eighty thousand"}})
    drain()

    assert len(theirs.messages) == len(admins.messages) == 2
    assert not any(word in message.body for message in theirs.messages for word in (b"salary", b"thousand"))
    assert not any(b"thousand" in message.body for message in admins.messages)


def test_an_endpoint_hears_only_what_it_asks_for_and_its_owner_may_read(
    owner: Any, stranger: Any, admin: Any, client_of: ClientOf, drain: Drain, receivers: Callable[[], Receiver]
) -> None:
    theirs, strangers, admins, other = receivers(), receivers(), receivers(), receivers()
    made(client_of(owner), theirs.url, "resource.created")
    made(client_of(stranger), strangers.url, "*")
    made(client_of(admin), admins.url, "resource.*")
    made(client_of(owner), other.url, "file.*")

    resource = new_resource(client_of(owner))
    client_of(owner).patch(f"/api/v1/resources/{resource}", {"name": "April"})
    drain()

    assert [message.json["type"] for message in theirs.messages] == ["resource.created"]
    assert sorted(message.json["type"] for message in admins.messages) == ["resource.created", "resource.updated"]
    assert resource not in str([message.body for message in strangers.messages])
    assert other.messages == []
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) <= {"delivered"}


def test_what_is_no_longer_shared_is_not_sent_any_more(
    owner: Any, stranger: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    resource = new_resource(client_of(owner))
    share = client_of(owner).post(
        f"/api/v1/resources/{resource}/shares", {"user": str(stranger.pk), "access": "viewer"}
    )
    made(client_of(stranger), receiver.url, "resource.*")
    drain()
    receiver.messages.clear()
    receiver.replies.append(Reply(500))
    client_of(owner).patch(f"/api/v1/resources/{resource}", {"name": "April"})
    drain()
    assert len(receiver.messages) == 1

    client_of(owner).delete(f"/api/v1/resources/{resource}/shares/{share.json()['data']['id']}")
    later(drain)
    client_of(owner).patch(f"/api/v1/resources/{resource}", {"name": "May"})
    later(drain)

    assert len(receiver.messages) == 1
    delivery = WebhookDelivery.objects.get(event_type="resource.updated")
    assert (delivery.state, delivery.body, delivery.next_attempt_at) == ("suppressed", "", None)
    again = f"{PATH}/{delivery.endpoint_id}/deliveries/{delivery.pk}/redeliver"
    assert client_of(stranger).post(again).status_code == 409


def test_a_deactivated_owner_s_endpoint_is_silent(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    client = client_of(owner)
    made(client, receiver.url)
    resource = new_resource(client)
    type(owner).objects.filter(pk=owner.pk).update(is_active=False)
    drain()
    webhooks.fan_out(Event.objects.get(type="resource.created", subject_id=resource))
    drain()

    assert receiver.messages == []


def test_a_row_for_each_event_and_endpoint_however_often_the_event_comes(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    client = client_of(owner)
    made(client, receiver.url)
    new_resource(client)
    drain()
    event = Event.objects.get(type="resource.created")

    for _ in range(3):
        SUBSCRIBERS["notifications.webhooks"].handler(event)
        drain()

    delivery = WebhookDelivery.objects.get()
    assert len(receiver.messages) == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookDelivery.objects.create(endpoint=delivery.endpoint, event_id=event.id, event_type="x.y", body="{}")


def test_nobody_s_event_costs_background_work(owner: Any, client_of: ClientOf, drain: Drain) -> None:
    new_resource(client_of(owner))

    assert not OutboxRow.objects.filter(kwargs__subscriber="notifications.webhooks").exists()


def test_a_new_secret_signs_beside_the_old_one_for_a_day(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    client = client_of(owner)
    endpoint = made(client, receiver.url)
    rotated = client.post(f"{PATH}/{endpoint['id']}/rotate-secret").json()["data"]
    until = timezone.now() + DAY
    assert rotated["secret"] != endpoint["secret"]
    assert abs((WebhookEndpoint.objects.get().previous_secret_until or until) - until) < timedelta(seconds=5)

    new_resource(client)
    drain()
    WebhookEndpoint.objects.update(previous_secret_until=timezone.now() - timedelta(seconds=1))
    new_resource(client)
    drain()

    both, new_only = receiver.messages
    assert both.verified(rotated["secret"]) == both.verified(endpoint["secret"])
    new_only.verified(rotated["secret"])
    with pytest.raises(WebhookVerificationError):
        new_only.verified(endpoint["secret"])


def test_a_worker_that_dies_between_sending_and_noting_is_followed_by_one_with_the_same_id(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    client = client_of(owner)
    made(client, receiver.url)
    new_resource(client)
    drain()
    # As a worker leaves it that is killed after the receiver's answer.
    WebhookAttempt.objects.all().delete()
    rows = WebhookDelivery.objects.all()
    rows.update(state="sending", delivered_at=None, next_attempt_at=timezone.now() + timedelta(seconds=15))
    webhooks.send_due()
    assert len(receiver.messages) == 1

    rows.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    webhooks.send_due()

    first, second = receiver.messages
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert outcomes(rows.get()) == [(1, "interrupted", None), (2, "answered", 204)]


def test_an_answer_is_kept_in_part_and_without_secrets(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    client = client_of(owner)
    endpoint = made(client, receiver.url)
    receiver.replies.append(Reply(200, b"token=abcdef0123456789 \x00 ok " + b"x" * 500_000))
    new_resource(client)
    drain()

    (delivery,) = client.get(f"{PATH}/{endpoint['id']}/deliveries").json()["data"]
    (attempt,) = delivery["attempts"]
    assert (delivery["state"], attempt["status"]) == ("delivered", 200)
    assert attempt["answer"].startswith("token=[redacted]  ok xxx")
    assert len(attempt["answer"]) == 1000


def test_a_delivery_is_sent_again_under_the_same_id(
    owner: Any, stranger: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    client = client_of(owner)
    endpoint = made(client, receiver.url)
    new_resource(client)
    drain()
    delivery = WebhookDelivery.objects.get()
    path = f"{PATH}/{endpoint['id']}/deliveries/{delivery.pk}/redeliver"
    assert client_of(stranger).post(path).status_code == 404

    answer = client.post(path)
    assert (answer.status_code, answer.json()["data"]["state"]) == (202, "queued")
    assert client.post(path).status_code == 409
    drain()

    first, second = receiver.messages
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert outcomes(delivery) == [(1, "answered", 204), (2, "answered", 204)]


def test_a_test_is_an_event_of_its_own(
    owner: Any, stranger: Any, client_of: ClientOf, drain: Drain, receiver: Receiver
) -> None:
    client = client_of(owner)
    endpoint = made(client, receiver.url, "file.*")
    path = f"{PATH}/{endpoint['id']}/test"
    assert client_of(stranger).post(path).status_code == 404

    answer = client.post(path)
    drain()

    assert (answer.status_code, answer.json()["data"]["type"]) == (202, "webhook.test")
    (message,) = receiver.messages
    assert message.verified(endpoint["secret"])["type"] == "webhook.test"
    assert {client.post(path).status_code for _ in range(15)} == {202, 429}


def test_the_log_is_kept_for_a_while(
    owner: Any, client_of: ClientOf, drain: Drain, receiver: Receiver, settings: Settings
) -> None:
    client = client_of(owner)
    made(client, receiver.url)
    for _ in range(3):
        new_resource(client)
    drain()
    old, waiting, young = WebhookDelivery.objects.order_by("created_at")
    long_ago = timezone.now() - timedelta(days=settings.WEBHOOK_RETENTION_DAYS, minutes=1)
    WebhookDelivery.objects.filter(pk__in=[old.pk, waiting.pk]).update(created_at=long_ago)
    WebhookDelivery.objects.filter(pk=waiting.pk).update(state="queued", next_attempt_at=timezone.now() + DAY)

    assert webhooks.purge_deliveries() == 1
    assert {row.pk for row in WebhookDelivery.objects.all()} == {waiting.pk, young.pk}


def test_the_secret_is_sealed_in_the_table(owner: Any, client_of: ClientOf, receiver: Receiver) -> None:
    endpoint = made(client_of(owner), receiver.url)

    stored = str(WebhookEndpoint.objects.values().get(pk=UUID(endpoint["id"])))
    assert endpoint["secret"] not in stored
    assert WebhookEndpoint.objects.get().secret == endpoint["secret"]
