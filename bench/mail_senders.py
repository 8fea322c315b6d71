"""Run inside a world: send some mails our way or the bare way; print what it took as JSON."""

import json
import os
import smtplib
import sys
from email.message import EmailMessage
from typing import Any, Final
from uuid import uuid4

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from celery import Celery  # noqa: E402  # after the setup, as all below
from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import transaction  # noqa: E402

from bench.stopwatch import Stopwatch  # noqa: E402
from config.broker import celery_url  # noqa: E402
from config.celery import app as product  # noqa: E402
from core import relay  # noqa: E402
from core.models import OutboxRow  # noqa: E402
from notifications.models import Message, MessageAttempt  # noqa: E402
from notifications.services.sending import send  # noqa: E402
from notifications.templates import render  # noqa: E402

_KIND: Final = "account.password_changed"
_QUEUE: Final = "critical"


def main() -> None:
    """Send `argv[2]` mails to the port `argv[3]`."""
    side, messages, port = sys.argv[1], *map(int, sys.argv[2:])
    settings.MAIL = {"scheme": "smtp", "host": "127.0.0.1", "port": port, "tls": "none"}
    measured = {"ours": _ours, "bare": _bare}[side](messages, port)
    sys.stdout.write(f"\n{json.dumps(measured)}\n")


def _ours(messages: int, port: int) -> dict[str, float]:
    settings.QUEUE_PREFIX = product.conf.task_default_queue.removesuffix("default")
    _forget()
    with transaction.atomic():
        for _ in range(messages):
            _written()
    with product.connection_for_write() as broker:
        while relay.relay_due_rows(broker):
            pass
    product.conf.update(worker_redirect_stdouts=False)
    stopwatch = Stopwatch(product, messages)
    product.Worker(queues=[relay.queue_name(_QUEUE)], **stopwatch.options).start()
    sent = Message.objects.filter(kind=_KIND, state="sent").count()
    _forget()
    if sent != messages:
        raise SystemExit(f"{sent} of {messages} arrived")
    return stopwatch.measured()


def _written() -> Message:
    person: Any = get_user_model()._default_manager.filter(is_active=True).first()
    return send(_KIND, to=person.pk)


def _forget() -> None:
    OutboxRow.objects.filter(task="notifications.tasks.deliver").delete()
    MessageAttempt.objects.filter(message__kind=_KIND).delete()
    Message.objects.filter(kind=_KIND).delete()


def _bare(messages: int, port: int) -> dict[str, float]:
    app = Celery("bare", broker=celery_url(settings.BROKER_URL))
    queue = f"bare-{uuid4().hex}"
    app.conf.update(task_default_queue=queue, worker_prefetch_multiplier=1, worker_hijack_root_logger=False)
    app.conf.update(worker_redirect_stdouts=False, task_ignore_result=True, task_acks_late=True)
    with transaction.atomic():
        outgoing = render(_written())
        transaction.set_rollback(True)

    @app.task(name="bare.send")  # type: ignore[untyped-decorator]  # Celery has no types
    def send_mail(to: str, subject: str, text: str, html: str) -> None:
        mail = EmailMessage()
        mail["To"], mail["From"], mail["Subject"] = to, settings.DEFAULT_FROM_EMAIL, subject
        mail.set_content(text)
        mail.add_alternative(html, subtype="html")
        # A connection for each mail, as a task with Django's `send_mail` has.
        with smtplib.SMTP("127.0.0.1", port) as server:
            server.send_message(mail)

    for _ in range(messages):
        send_mail.delay(outgoing.address, outgoing.subject, outgoing.text, outgoing.html)
    stopwatch = Stopwatch(app, messages)
    app.Worker(**stopwatch.options).start()
    with app.connection_for_write() as broker:
        broker.default_channel.queue_delete(queue)
    return stopwatch.measured()


main()
