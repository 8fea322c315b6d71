"""The links at the end of mails that switch their kind off: one click, no sign-in, no end (RFC 8058).

The token says whom, which kind and which channel, under a signature of ours; it lets whoever has the mail switch that
one thing off, and nothing else.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing

from notifications.kinds import DIGEST, Kind
from notifications.models import Message

_SALT: Final = "notifications.unsubscribe"
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a token switches off: mails of one kind to one person, or their digests."""

    user_id: UUID
    kind: str
    channel: str


def unsubscribe_url(message: Message, kind: Kind) -> str:
    """Return the link that goes with the message; empty where there is nothing to switch off."""
    is_ours_to_choose = message.notification_id is not None or message.kind == DIGEST
    if message.recipient_id is None or not is_ours_to_choose or not kind.may_be_switched_off:
        return ""
    return link_to(Subscription(message.recipient_id, message.kind, message.channel))


def link_to(subscription: Subscription) -> str:
    """Return the address of the page that switches it off."""
    return f"{settings.PUBLIC_URL}/unsubscribe/{token_of(subscription)}"


def token_of(subscription: Subscription) -> str:
    """Return the token for a mail; it serves as long as the key that signs it."""
    value = f"{subscription.user_id.hex}:{subscription.kind}:{subscription.channel}"
    return signing.Signer(salt=_SALT, sep="~").sign(signing.b64_encode(value.encode()).decode())


def subscription_of(token: str) -> Subscription | None:
    """Return what the token switches off, or None for one that is not ours."""
    if len(token) > _LONGEST:
        return None
    try:
        signed = signing.Signer(salt=_SALT, sep="~").unsign(token)
        user, kind, channel = signing.b64_decode(signed.encode()).decode().split(":")
        return Subscription(UUID(hex=user), kind, channel)
    except (signing.BadSignature, ValueError):
        return None
