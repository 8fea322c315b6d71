"""What bookmarks hear on the event log."""

from urllib.parse import urlsplit

from accounts.services.threats import Finding, threat_rule
from core.models import Event


@threat_rule("bookmark_with_password", "A password in a bookmark", "bookmark.kept")
def password_in_bookmark(event: Event) -> Finding | None:
    """An address that carries a password (`https://user:password@host/`), which everybody who sees it can use."""
    address = urlsplit(event.payload["url"])
    if event.actor is None or not address.password:
        return None
    return Finding(event.actor, f"A bookmark of {address.hostname} holds a password.", {"event": str(event.id)})
