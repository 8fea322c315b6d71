"""Watching over the whole: staff are told once when something goes wrong, and once when it is over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.functions import Now

from core.breaker import states
from core.models import DeadLetter
from core.permissions import ADMIN
from core.queue import enqueue, lag
from notifications.channels import chat
from notifications.models.alerts import Alert
from notifications.services.notifying import News, notify

_NAMED_BY_PEOPLE: Final = ("webhook:", "push:")
"""Breakers of addresses that people give: no trouble of the whole, and nothing to fill staff's inboxes with."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong now; under one `cause` it is one alert until it is over."""

    cause: str
    title: str
    text: str


@transaction.atomic
def watch() -> tuple[int, int]:
    """Tell staff what has gone wrong and what is over since the last look; return how many of each."""
    troubles = {trouble.cause: trouble for trouble in _troubles()}
    known = {alert.cause: alert for alert in Alert.objects.select_for_update().filter(over_at=None).order_by("id")}
    begun = [_begin(trouble) for cause, trouble in troubles.items() if cause not in known]
    over = [alert for cause, alert in known.items() if cause not in troubles]
    for alert in over:
        Alert.objects.filter(pk=alert.pk).update(over_at=Now())
        _tell(alert, is_over=True)
    return sum(begun), len(over)


def _troubles() -> Iterator[Trouble]:
    yield from _lag()
    yield from _dead_letters()
    for name, state in states().items():
        if state != "closed" and not name.startswith(_NAMED_BY_PEOPLE):
            text = f"It failed several times within half a minute and is asked now and then only ({state})."
            yield Trouble(f"breaker:{name}"[:200], f"{name} does not answer"[:200], text)


def _lag() -> Iterator[Trouble]:
    seconds = int(lag()["outbox_lag_seconds"])
    if seconds >= settings.ALERT_OUTBOX_LAG_SECONDS:
        text = f"The oldest due task has waited for {seconds} seconds. Are the relay, the broker and the workers up?"
        yield Trouble("outbox_lag", "Background work waits", text)


def _dead_letters() -> Iterator[Trouble]:
    number = DeadLetter.objects.filter(last_at__gt=Now() - timedelta(hours=1)).count()
    if number >= settings.ALERT_DEAD_LETTERS_PER_HOUR:
        text = f"{number} tasks were given up within an hour. They are under Dead letters, with their tracebacks."
        yield Trouble("dead_letters", "Tasks are given up", text)


def _begin(trouble: Trouble) -> bool:
    """Write the alert and tell of it; return False where another run has."""
    alert = Alert(cause=trouble.cause, title=trouble.title, text=trouble.text)
    Alert.objects.bulk_create([alert], ignore_conflicts=True)
    if not Alert.objects.filter(pk=alert.pk).exists():
        return False
    _tell(alert, is_over=False)
    return True


def _tell(alert: Alert, *, is_over: bool) -> None:
    title, text = _words(alert, is_over=is_over)
    news = News(
        "ops.alert",
        {"title": title, "text": text, "link": f"{settings.PUBLIC_URL}/admin/notifications/alert/{alert.pk}/change/"},
        dedup_key=f"alert:{alert.pk}:{'over' if is_over else 'begun'}",
    )
    staff = get_user_model()._default_manager.filter(is_active=True, role__permissions__contains=[ADMIN])
    notify(news, to=list(staff.values_list("pk", flat=True)))
    for number in range(len(settings.ALERT_URLS)):
        # One task for each chat: one that is away has the others told nothing twice.
        enqueue("notifications.tasks.tell_chat", alert_id=str(alert.pk), is_over=is_over, number=number)


def tell_chat(*, alert_id: UUID, is_over: bool, number: int) -> None:
    """Tell one chat; raises `DeliveryFailed`."""
    alert = Alert.objects.filter(pk=alert_id).first()
    if alert is not None:
        title, text = _words(alert, is_over=is_over)
        chat.tell_chat(number, title=title, text=text)


def _words(alert: Alert, *, is_over: bool) -> tuple[str, str]:
    if is_over:
        return f"Over: {alert.title}", f"It began at {alert.created_at:%Y-%m-%d %H:%M} UTC."
    return alert.title, alert.text


def purge_alerts() -> int:
    """Delete what was over `NOTIFICATION_RETENTION_DAYS` ago; return how many."""
    old = Alert.objects.filter(over_at__lt=Now() - timedelta(days=settings.NOTIFICATION_RETENTION_DAYS))
    return old.delete()[0]
