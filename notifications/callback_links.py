"""The addresses at which other programs tell us something, as they see them."""

from urllib.parse import urlsplit

from django.conf import settings


def callback_url(source: str, query: str = "") -> str:
    """Return the address of an inbound source; empty where this server does not know what it is reached at."""
    if not settings.PUBLIC_URL:
        return ""
    return f"{settings.PUBLIC_URL}/api/v1/webhooks/in/{source}{'?' if query else ''}{query}"


def is_public_name() -> bool:
    """Return whether the host that we are reached at looks like one of the open internet."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    return "." in host and not host.rpartition(".")[2].isdecimal()
