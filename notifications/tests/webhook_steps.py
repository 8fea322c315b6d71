"""What tests of webhooks do again and again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

from django.db import connection
from django.test import Client
from django.utils import timezone

from core.queue import enqueue
from notifications.models import WebhookDelivery, WebhookEndpoint

ClientOf = Callable[[Any], Client]
Drain = Callable[..., int]
PATH = "/api/v1/webhooks"
DAY = timedelta(days=1)


def made(client: Client, url: str, *events: str) -> dict[str, Any]:
    answer = client.post(PATH, {"url": url, "events": list(events) or ["resource.*"]})
    assert answer.status_code == 201, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def new_resource(client: Client, **fields: Any) -> str:
    answer = client.post("/api/v1/resources", {"name": "March", **fields})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["data"]["id"])


def later(drain: Drain) -> None:
    """Let a day pass: what is due within it is due now."""
    drain()
    WebhookDelivery.objects.open().filter(next_attempt_at__lt=timezone.now() + DAY).update(
        next_attempt_at=timezone.now() - timedelta(seconds=1)
    )
    WebhookEndpoint.objects.update(paused_until=None)
    enqueue("notifications.tasks.send_webhooks")
    drain()


def outcomes(delivery: WebhookDelivery) -> list[tuple[int, str, int | None]]:
    return list(delivery.attempts.order_by("number").values_list("number", "outcome", "status"))


def in_threads(number: int, act: Callable[[], object]) -> list[Any]:
    """Do it in so many threads at once; return what each returned, or the exception that it raised."""
    gate = Barrier(number)

    def one(_: int) -> Any:
        gate.wait()
        try:
            return act()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))
