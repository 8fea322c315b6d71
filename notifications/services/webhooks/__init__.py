"""Outbound webhooks: events, signed, to addresses of people who may read them."""

from notifications.services.webhooks.deliveries import (
    purge_deliveries,
    redeliver,
    redeliver_many,
    redeliverable,
    send_test,
)
from notifications.services.webhooks.dispatch import send_due
from notifications.services.webhooks.endpoints import (
    SecretEndpoint,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    end_secret,
    rotate_secret,
    rotate_secret_of,
    switch_endpoints,
    without_secrets,
)
from notifications.services.webhooks.events import fan_out, is_awaited
from notifications.services.webhooks.missed import Missed

__all__ = [
    "Missed",
    "SecretEndpoint",
    "change_endpoint",
    "create_endpoint",
    "delete_endpoint",
    "end_secret",
    "fan_out",
    "is_awaited",
    "purge_deliveries",
    "redeliver",
    "redeliver_many",
    "redeliverable",
    "rotate_secret",
    "rotate_secret_of",
    "send_due",
    "send_test",
    "switch_endpoints",
    "without_secrets",
]
