"""How a message proves where it is from, and when: one function for each scheme.

Each gets the source, a secret of it and the message as it came, and says whether that proves it; nobody is told what
was wrong. What the message says of itself counts only then.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.errors import InvalidSignature, ValidationFailed
from notifications.models.inbound import (
    GITHUB,
    HMAC,
    MAILGUN,
    POSTMARK,
    SENDGRID,
    SNS,
    STANDARD,
    STRIPE,
    TWILIO,
    WebhookSource,
)
from notifications.services.inbound import provider_schemes as providers
from notifications.services.inbound import sns
from notifications.services.inbound.proofs import Incoming, Told, any_equal, digest_of, is_recent, mac, text_of

_LONGEST_ID: Final = 255


@dataclass(frozen=True, slots=True)
class Scheme:
    """How messages are proved; `tells`, where a message says of itself in a way of its own what it is."""

    proves: Callable[[WebhookSource, str, Incoming], bool]
    tells: Callable[[Incoming], Told] | None = None


def verified(source: WebhookSource, incoming: Incoming) -> Told:
    """Return what the message says of itself; raises `InvalidSignature`, or `ValidationFailed` for a bad id."""
    scheme = _SCHEMES[source.scheme]
    if not any(scheme.proves(source, secret, incoming) for secret in _secrets(source)):
        raise InvalidSignature
    if scheme.tells is not None:
        return scheme.tells(incoming)
    return Told(_event_id(source, incoming), _type(source, incoming))


def _secrets(source: WebhookSource) -> list[str]:
    own = source.secret or (providers.twilio_secret() if source.scheme == TWILIO else "")
    return [secret for secret in (own, source.old_secret) if secret]


def _standard(source: WebhookSource, secret: str, incoming: Incoming) -> bool:
    message_id, sent_at = incoming.headers.get("webhook-id", ""), incoming.headers.get("webhook-timestamp", "")
    if not message_id or not is_recent(sent_at, source.tolerance_seconds):
        return False
    given = [part.removeprefix("v1,") for part in _header(source, incoming, "webhook-signature").split(" ")]
    expected = mac(_standard_key(secret), f"{message_id}.{sent_at}.".encode() + incoming.body)
    return any_equal(given, base64.b64encode(expected).decode())


def _stripe(source: WebhookSource, secret: str, incoming: Incoming) -> bool:
    parts = [part.strip().partition("=") for part in _header(source, incoming, "stripe-signature").split(",")]
    sent_at = next((value for name, _, value in parts if name == "t"), "")
    if not is_recent(sent_at, source.tolerance_seconds):
        return False
    given = [value for name, _, value in parts if name == "v1"]
    return any_equal(given, mac(secret.encode(), f"{sent_at}.".encode() + incoming.body).hex())


def _github(source: WebhookSource, secret: str, incoming: Incoming) -> bool:
    given = _header(source, incoming, "x-hub-signature-256")
    return any_equal([given], f"sha256={mac(secret.encode(), incoming.body).hex()}")


def _hmac(source: WebhookSource, secret: str, incoming: Incoming) -> bool:
    given = _header(source, incoming, "x-signature").removeprefix("sha256=")
    expected = mac(secret.encode(), incoming.body)
    return any_equal([given.lower()], expected.hex()) or any_equal([given], base64.b64encode(expected).decode())


_SCHEMES: Final[dict[str, Scheme]] = {
    STANDARD: Scheme(_standard),
    STRIPE: Scheme(_stripe),
    GITHUB: Scheme(_github),
    HMAC: Scheme(_hmac),
    TWILIO: Scheme(providers.is_twilios, providers.twilio_tells),
    SNS: Scheme(sns.is_snss, sns.sns_tells),
    POSTMARK: Scheme(providers.is_postmarks, providers.postmark_tells),
    SENDGRID: Scheme(providers.is_sendgrids, providers.sendgrid_tells),
    MAILGUN: Scheme(providers.is_mailguns, providers.mailgun_tells),
}


def refuse_secret(scheme: str, secret: str) -> None:
    """Raise `ValidationFailed` for a secret that the scheme cannot use."""
    if scheme == TWILIO and not secret and providers.twilio_secret():
        return
    if not secret:
        raise ValidationFailed.of("secret", "blank", "Give the secret that the other side signs with.")
    is_usable, message = _FORMS.get(scheme, (None, ""))
    if is_usable is not None and not is_usable(secret):
        raise ValidationFailed.of("secret", "invalid", message)


def _is_standard_key(secret: str) -> bool:
    try:
        return bool(_standard_key(secret))
    except ValueError:
        return False


def _is_sendgrid_key(secret: str) -> bool:
    try:
        return bool(providers.sendgrid_key(secret))
    except ValueError:
        return False


_FORMS: Final[dict[str, tuple[Callable[[str], object], str]]] = {
    STANDARD: (_is_standard_key, "A secret of Standard Webhooks is base64, usually after `whsec_`."),
    SENDGRID: (_is_sendgrid_key, "Give the verification key that SendGrid shows: base64 of a public key."),
    SNS: (sns.TOPIC.fullmatch, "Give the topic's ARN: arn:aws:sns:eu-west-1:123456789012:bounces."),
    POSTMARK: (lambda secret: all(secret.partition(":")), "Give `name:password`, as in https://name:password@…"),
}


def _standard_key(secret: str) -> bytes:
    text = secret.removeprefix("whsec_")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(secret) from error


def _header(source: WebhookSource, incoming: Incoming, usual: str) -> str:
    return incoming.headers.get(source.signature_header.lower() or usual, "")


def _event_id(source: WebhookSource, incoming: Incoming) -> str:
    """Return the id by which a message is known again; a message without any is known by its digest."""
    usual = {STANDARD: "webhook-id", GITHUB: "x-github-delivery"}.get(source.scheme, "")
    name = source.event_id_header.lower() or usual
    found = incoming.headers.get(name, "") if name else incoming.facts.get("id")
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not found:
        return digest_of(incoming.body)
    if len(found) > _LONGEST_ID or not (found.isascii() and found.isprintable()):
        raise ValidationFailed.of("event_id", "invalid", "An event's id is 1 to 255 printable ASCII characters.")
    return found


def _type(source: WebhookSource, incoming: Incoming) -> str:
    is_github = source.scheme == GITHUB
    return text_of(incoming.headers.get("x-github-event", "") if is_github else incoming.facts.get("type"))
