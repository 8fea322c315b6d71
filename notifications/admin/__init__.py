"""The pages of notifications in the Django admin."""

from notifications.admin.alerts import AlertAdmin
from notifications.admin.devices import DeviceAdmin
from notifications.admin.inbound import InboundWebhookAdmin, WebhookSourceAdmin
from notifications.admin.inbox import NotificationAdmin, NotificationPreferencesAdmin
from notifications.admin.messages import MessageAdmin
from notifications.admin.suppressions import SuppressedAddressAdmin
from notifications.admin.templates import MessageTemplateAdmin
from notifications.admin.webhooks import WebhookDeliveryAdmin, WebhookEndpointAdmin

__all__ = [
    "AlertAdmin",
    "DeviceAdmin",
    "InboundWebhookAdmin",
    "MessageAdmin",
    "MessageTemplateAdmin",
    "NotificationAdmin",
    "NotificationPreferencesAdmin",
    "SuppressedAddressAdmin",
    "WebhookDeliveryAdmin",
    "WebhookEndpointAdmin",
    "WebhookSourceAdmin",
]
