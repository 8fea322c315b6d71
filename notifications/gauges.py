"""What `/metrics` looks up of messages and webhooks."""

from collections.abc import Iterable
from typing import Any, Final

from django.db import connection
from prometheus_client.core import Metric

from core.gauges import gauge, gauges, looked_up
from notifications.channels import CHANNELS

_WAITING: Final = """
SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'sending'),
       coalesce(extract(epoch FROM clock_timestamp()
           - min(next_attempt_at) FILTER (WHERE paused_until IS NULL OR paused_until < clock_timestamp())), 0)
FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
WHERE state IN ('queued', 'sending') AND next_attempt_at <= clock_timestamp() + interval '1 minute'
"""
_DONE: Final = """
SELECT count(*) FILTER (WHERE state = 'delivered'), count(*) FILTER (WHERE state = 'failed')
FROM webhook_deliveries WHERE created_at > statement_timestamp() - interval '24 hours'
"""
_ENDPOINTS: Final = """
SELECT count(*) FILTER (WHERE is_active AND failing_since IS NULL),
       count(*) FILTER (WHERE is_active AND failing_since IS NOT NULL), count(*) FILTER (WHERE NOT is_active)
FROM webhook_endpoints
"""
_FAILED_MESSAGES: Final = """
SELECT channel, count(*) FROM messages
WHERE state IN ('failed', 'bounced') AND created_at > statement_timestamp() - interval '1 hour' GROUP BY channel
"""


@looked_up
def messages() -> Iterable[Metric]:
    """Yield how many messages of the last hour did not reach anybody."""
    with connection.cursor() as cursor:
        cursor.execute(_FAILED_MESSAGES)
        failed = dict.fromkeys(CHANNELS, 0) | dict(cursor.fetchall())
    yield gauges(
        "nook_messages_failed", "Messages of the last hour that were given up or came back.", "channel", failed
    )


@looked_up
def webhooks() -> Iterable[Metric]:
    """Yield how many webhooks wait, for how long the oldest has, what became of the day's, and how endpoints fare."""
    queued, sending, lag = _row(_WAITING)
    yield gauges(
        "nook_webhooks_waiting", "Webhooks to be sent within a minute.", "state", {"queued": queued, "sending": sending}
    )
    yield gauge("nook_webhooks_lag_seconds", "How long the oldest due webhook has waited.", max(0.0, float(lag)))
    delivered, failed = _row(_DONE)
    yield gauges(
        "nook_webhooks_done", "Webhooks of the last 24 hours.", "state", {"delivered": delivered, "failed": failed}
    )
    working, failing, off = _row(_ENDPOINTS)
    standing = {"working": working, "failing": failing, "off": off}
    yield gauges("nook_webhook_endpoints", "Endpoints by how they fare.", "standing", standing)


def _row(statement: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row: tuple[Any, ...] = cursor.fetchone()
        return row
