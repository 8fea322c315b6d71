"""Run inside a world: send some webhooks our way or the bare way; print what it took as JSON."""

import json
import os
import sys
import time
from typing import Any
from uuid import uuid4

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

import urllib3  # noqa: E402  # after the setup, as all below
from celery import Celery  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from config.broker import celery_url  # noqa: E402
from core.events import publish  # noqa: E402
from core.permissions import Caller  # noqa: E402
from notifications.models import WebhookDelivery, WebhookEndpoint  # noqa: E402
from notifications.services import webhooks  # noqa: E402
from notifications.services.webhooks.events import payload  # noqa: E402
from notifications.services.webhooks.signing import new_secret, signed_headers  # noqa: E402


def main() -> None:
    """Send `argv[2]` messages to the port `argv[3]`, from `argv[4]` endpoints."""
    side, messages, port, endpoints = sys.argv[1], *map(int, sys.argv[2:])
    measured = {"ours": _ours, "bare": _bare}[side](port, messages, endpoints)
    sys.stdout.write(f"\n{json.dumps(measured)}\n")


def _ours(port: int, messages: int, endpoints: int) -> dict[str, float]:
    settings.WEBHOOK_ALLOWED_HOSTS = [f"127.0.0.1:{port}"]
    settings.WEBHOOKS_PER_USER = endpoints
    body = _prepare(port, messages, endpoints)
    started, cpu = time.perf_counter(), time.process_time()
    sent = 0
    while sent < messages:
        sent += webhooks.send_due()
    measured = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "bytes": len(body)}
    delivered = WebhookDelivery.objects.filter(state="delivered", endpoint__url__contains=f":{port}/").count()
    WebhookEndpoint.objects.all().delete()
    if delivered != messages:
        raise SystemExit(f"{delivered} of {messages} arrived")
    return measured


def _prepare(port: int, messages: int, endpoints: int) -> str:
    WebhookEndpoint.objects.all().delete()
    person: Any = get_user_model()._default_manager.filter(is_active=True).first()
    actor = Caller.of(person)
    made = [
        webhooks.create_endpoint(actor=actor, url=f"http://127.0.0.1:{port}/{number}", events=["user.updated"]).row
        for number in range(endpoints)
    ]
    WebhookEndpoint.objects.update(last_success_at=timezone.now())
    with transaction.atomic():
        events = [
            publish("user.updated", subject=person, actor=actor, data={"after": {"name": "Ada"}})
            for _ in range(-(-messages // endpoints))
        ]
    for event in events:
        event.refresh_from_db()
    body = payload(events[0], actor)
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(endpoint=made[number % endpoints], event_id=events[number // endpoints].id,
                        event_type="user.updated", body=body)
        for number in range(messages)
    )  # fmt: skip
    return body


def _bare(port: int, messages: int, endpoints: int) -> dict[str, float]:
    app = Celery("bare", broker=celery_url(settings.BROKER_URL))
    queue = f"bare-{uuid4().hex}"
    app.conf.update(task_default_queue=queue, worker_prefetch_multiplier=4, worker_hijack_root_logger=False)
    app.conf.update(worker_redirect_stdouts=False, task_ignore_result=True, task_acks_late=True)
    pool, secret = urllib3.PoolManager(), new_secret()
    state = {"sent": 0, "started": 0.0, "cpu": 0.0, "seconds": 0.0}

    @app.task(name="bare.send")  # type: ignore[untyped-decorator]  # Celery has no types
    def send(number: int, body: str) -> None:
        if not state["sent"]:
            state["started"], state["cpu"] = time.perf_counter(), time.process_time()
        content = body.encode()
        headers = signed_headers(f"msg_{number}", int(time.time()), content, [secret])
        url = f"http://127.0.0.1:{port}/{number % endpoints}"
        answer = pool.request("POST", url, body=content, headers={"content-type": "application/json", **headers})
        assert answer.status == 204  # noqa: S101  # a bench
        state["sent"] += 1
        if state["sent"] == messages:
            state["seconds"] = time.perf_counter() - state["started"]
            state["cpu"] = time.process_time() - state["cpu"]
            app.control.broadcast("shutdown")

    text = json.dumps({"type": "user.updated", "timestamp": "2026-11-21T09:31:00.000000Z", "data": {"x": "y" * 180}})
    for number in range(messages):
        send.delay(number, text)
    app.Worker(pool="solo", concurrency=1, loglevel="ERROR", without_gossip=True, without_mingle=True).start()
    with app.connection_for_write() as broker:
        broker.default_channel.queue_delete(queue)
    return {"seconds": state["seconds"], "cpu": state["cpu"]}


main()
