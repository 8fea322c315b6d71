"""The servers of others that notifications go through."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Max, Q

from core.integrations import Integration, breaker_of, host_of, integrations
from notifications.models import Message, WebhookEndpoint
from notifications.models.devices import APNS, FCM, WEB, Device
from notifications.models.messages import EMAIL, SMS

_LOOKED_AT: Final = 10_000


@integrations
def senders() -> Iterator[Integration]:
    """Yield the servers that take mails and text messages."""
    sent = _last_sent()
    yield _mail("Mail", "takes mails", "EMAIL_URL", settings.MAIL, sent.get(EMAIL))
    yield _mail(
        "Mail, second", "takes mails that the first does not", "EMAIL_FALLBACK_URL", settings.MAIL_FALLBACK, None
    )
    address = settings.SMS.get("base_url", "")
    place = host_of(address) or settings.SMS.get("scheme", "")
    breaker = breaker_of(address) if address else ""
    yield Integration("Text messages", "takes text messages", "SMS_URL", place, breaker, sent.get(SMS))


@integrations
def push_services() -> Iterator[Integration]:
    """Yield who takes notices for devices."""
    reached = dict(Device.objects.order_by().values_list("platform").annotate(Max("last_reached_at")))
    web = "the push service of each browser" if settings.VAPID_PRIVATE_KEY else ""
    yield Integration("Web Push", "takes notices for browsers", "VAPID_PRIVATE_KEY", web, "", reached.get(WEB))
    for name, key, url, platform, setting in (
        ("Firebase", settings.FCM_SERVICE_ACCOUNT, settings.FCM_URL, FCM, "FCM_SERVICE_ACCOUNT"),
        ("Apple", settings.APNS_KEY, settings.APNS_URL, APNS, "APNS_KEY"),
    ):
        place = host_of(url) if key else ""
        circuit = breaker_of(url) if platform == FCM else f"http2:{host_of(url)}"
        yield Integration(name, "takes notices for devices", setting, place, circuit, reached.get(platform))


@integrations
def listeners() -> Iterator[Integration]:
    """Yield who hears of what happens here."""
    found = WebhookEndpoint.objects.aggregate(active=Count("id", filter=Q(is_active=True)), last=Max("last_success_at"))
    place = f"{found['active']} endpoints" if found["active"] else ""
    yield Integration("Webhooks", "hear of events", "/api/v1/webhooks", place, "", found["last"])
    chats = ", ".join(sorted({url.partition(":")[0] for url in settings.ALERT_URLS}))
    yield Integration("Chats", "take alerts to staff", "ALERT_URLS", chats)
    watch = settings.HEARTBEAT_URL
    breaker = breaker_of(watch) if watch else ""
    yield Integration("Watch", "misses our sign of life", "HEARTBEAT_URL", host_of(watch), breaker)


def _mail(name: str, purpose: str, setting: str, server: dict[str, Any], last: datetime | None) -> Integration:
    if server.get("scheme") == "smtp":
        place = f"{server['host']}:{server['port']}"
        return Integration(name, purpose, setting, place, f"smtp:{place}", last)
    return Integration(name, purpose, setting, server.get("scheme", ""), "", last)


def _last_sent() -> dict[str, datetime]:
    """Return when a message last left by each channel, among the newest ten thousand: no index knows it of all."""
    newest = Message.objects.order_by("-id").values("id")[:_LOOKED_AT]
    rows = Message.objects.filter(id__in=newest, sent_at__isnull=False).order_by()
    return dict(rows.values_list("channel").annotate(Max("sent_at")))
