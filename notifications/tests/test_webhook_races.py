"""An endpoint that is deleted in the very moment in which something is written of it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core import events as log
from core.errors import NotFound
from core.http_client import Response
from core.models import Event, EventDelivery
from core.permissions import Caller
from notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from notifications.services import webhooks
from notifications.services.webhooks.claims import claim
from notifications.services.webhooks.notes import Answer, note
from notifications.tests.webhook_steps import ClientOf, in_threads, made, new_resource

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("transactional_db")]

URL = "https://receiver.example/hook"


@pytest.fixture
def endpoint(owner: Any, client_of: ClientOf) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=made(client_of(owner), URL)["id"])


def while_it_is_deleted(endpoint: WebhookEndpoint, act: Callable[[], Any]) -> Any:
    """Return what `act` returns, having it wait for the transaction in which the endpoint is deleted."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            webhooks.delete_endpoint(actor=Caller.of(endpoint.owner), endpoint_id=endpoint.pk)
            told = pool.submit(lambda: in_threads(1, act)[0])
            _wait_for_a_waiter()
        return told.result(timeout=60)


def _wait_for_a_waiter() -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    end = time.monotonic() + 30
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
    raise AssertionError("Nobody waits.")


def test_an_event_that_is_being_handed_to_it_is_handled(
    owner: Any, client_of: ClientOf, endpoint: WebhookEndpoint
) -> None:
    kept = WebhookEndpoint.objects.get(pk=made(client_of(owner), URL)["id"])
    new_resource(client_of(owner))
    event = Event.objects.get(type="resource.created")

    handled = while_it_is_deleted(endpoint, lambda: log.handle(event_id=event.id, subscriber="notifications.webhooks"))

    assert handled is True
    assert [delivery.endpoint_id for delivery in WebhookDelivery.objects.filter(event_id=event.id)] == [kept.pk]
    assert EventDelivery.objects.filter(event_id=event.id, subscriber="notifications.webhooks").count() == 1


def test_who_deletes_it_waits_for_whoever_hands_it_an_event(
    owner: Any, client_of: ClientOf, endpoint: WebhookEndpoint
) -> None:
    new_resource(client_of(owner))
    event = Event.objects.get(type="resource.created")

    def delete() -> None:
        webhooks.delete_endpoint(actor=Caller.of(owner), endpoint_id=endpoint.pk)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            log.handle(event_id=event.id, subscriber="notifications.webhooks")
            told = pool.submit(lambda: in_threads(1, delete)[0])
            _wait_for_a_waiter()
        assert told.result(timeout=60) is None

    assert not WebhookEndpoint.objects.exists()
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize("is_taken", [True, False])
def test_an_answer_that_is_being_noted_is_let_go(owner: Any, endpoint: WebhookEndpoint, is_taken: bool) -> None:
    webhooks.send_test(actor=Caller.of(owner), endpoint_id=endpoint.pk)
    ((claimed),) = claim(proven=4, unproven=4)
    answer = Answer(timezone.now(), 12, response=Response(200 if is_taken else 500, {}, b""))

    noted = while_it_is_deleted(endpoint, lambda: note([(claimed.delivery, answer)]))

    assert noted is None
    assert not WebhookAttempt.objects.exists()


def test_a_test_of_it_is_refused(owner: Any, endpoint: WebhookEndpoint) -> None:
    actor = Caller.of(owner)

    refused = while_it_is_deleted(endpoint, lambda: webhooks.send_test(actor=actor, endpoint_id=endpoint.pk))

    assert isinstance(refused, NotFound)
    assert not Event.objects.filter(type="webhook.tested").exists()
