"""Forgetting what was told long ago: addresses and texts are personal data."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from notifications.models import OPEN_STATES, WAITING_STATES, Message, Notification

_BATCH: Final = 1000


def purge_messages() -> int:
    """Delete the messages that were done with `MESSAGE_RETENTION_DAYS` ago, with their attempts; return how many."""
    old = Message.objects.filter(created_at__lt=Now() - timedelta(days=settings.MESSAGE_RETENTION_DAYS))
    removed = 0
    while ids := list(old.exclude(state__in=(*OPEN_STATES, *WAITING_STATES)).values_list("id", flat=True)[:_BATCH]):
        with transaction.atomic():
            Message.objects.filter(id__in=ids).delete()
        removed += len(ids)
    return removed


def purge_notifications() -> int:
    """Delete what people were told `NOTIFICATION_RETENTION_DAYS` ago, read or not; return how many rows."""
    old = Notification.objects.filter(created_at__lt=Now() - timedelta(days=settings.NOTIFICATION_RETENTION_DAYS))
    removed = 0
    while ids := list(old.order_by("created_at").values_list("id", flat=True)[:_BATCH]):
        with transaction.atomic():
            Notification.objects.filter(id__in=ids).delete()
        removed += len(ids)
    return removed
