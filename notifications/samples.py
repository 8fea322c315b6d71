"""Values that the variables of a kind could have: for a preview, and to judge a wording before it is used."""

from typing import Any, Final

from django.conf import settings

from notifications.kinds import Kind
from notifications.overrides import variables_of

_SAMPLES: Final = {
    "name": "Olive Owner",
    "address": "olive@example.com",
    "author": "Sam Stranger",
    "giver": "Sam Stranger",
    "inviter": "Sam Stranger",
    "administrator": "Ada Admin",
    "resource": "March <draft> & April",
    "title": "Maintenance on Sunday",
    "text": "From 8 to 9 in the morning.\nNothing is lost.",
    "ip": "203.0.113.7",
    "device": "Firefox on Linux",
    "country": "Austria",
    "time": "21 Nov 2026, 09:30 UTC",
    "valid_for": "30 minutes",
    "until": "21 Nov 2026, 10:30 UTC",
    "code": "123456",
    "days": "30",
    "new_email": "olive.new@example.com",
    "phone": "+43 1 234567",
    "url": "https://hooks.example.com/in",
    "event": "resource.created",
    "access": "viewer",
    "period": "day",
    "items": "* Sam Stranger shared “March” with you\n  You are viewer of it.",
}


def samples_of(kind: Kind, channel: str) -> dict[str, Any]:
    """Return a value for each variable of the kind on this channel."""
    root = settings.PUBLIC_URL.rstrip("/")
    links = {
        "link": f"{root}/sample",
        "unsubscribe_url": f"{root}/sample/unsubscribe" if kind.may_be_switched_off else "",
        "public_url": settings.PUBLIC_URL,
        "site_name": settings.SITE_NAME,
    }
    known = {**_SAMPLES, **links}
    return {name: known.get(name, f"a {name.replace('_', ' ')}") for name in variables_of(kind, channel)}


def context_of(kind: Kind) -> dict[str, str]:
    """Return a value for each variable that the kind itself has, as a message's context holds them."""
    samples = samples_of(kind, kind.channel)
    return {name: str(samples[name]) for name in kind.variables}
