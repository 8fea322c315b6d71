"""Alerts to chats (Slack, Teams, Telegram and many more) by apprise; nothing else of the project imports it.

Workers only: it is synchronous. The addresses are the operator's settings, like that of the mail server, and so may be
of a private network; no redirect is followed.
"""

import logging
from importlib import import_module

from django.conf import settings

from notifications.channels import DeliveryFailed


def tell_chat(number: int, *, title: str, text: str) -> None:
    """Say it in one of the chats of `ALERT_URLS`; raises `DeliveryFailed`, which never tells the address."""
    urls = settings.ALERT_URLS
    if number >= len(urls):
        return
    logging.getLogger("apprise").disabled = True  # it writes down addresses, which hold secrets
    apprise = import_module("apprise")  # not at the start of a process that sends none
    asset = apprise.AppriseAsset(async_mode=False, http_redirects=False, plugin_paths=[])
    service = apprise.Apprise.instantiate(urls[number], asset=asset, suppress_exceptions=True)
    if service is None:
        raise DeliveryFailed(f"the address {number + 1} of ALERT_URLS is none that apprise knows", permanent=True)
    service.socket_connect_timeout = service.socket_read_timeout = float(settings.ALERT_TIMEOUT_SECONDS)
    if not service.notify(title=title, body=text):
        raise DeliveryFailed(f"the chat {number + 1} of ALERT_URLS did not take the alert", permanent=False)
