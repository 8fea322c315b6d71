"""How a message proves where it is from, and when: one function for each scheme.

Each gets the secret, the headers (names in lower case) and the body as it came, and returns what the message says of
itself; it raises `InvalidSignature` for whatever it cannot prove, and tells nobody what was wrong.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.errors import InvalidSignature, ValidationFailed
from notifications.models.inbound import GITHUB, HMAC, STANDARD, STRIPE, WebhookSource

Headers = Mapping[str, str]

_MOST_SIGNATURES: Final = 16
_LONGEST_ID: Final = 255


@dataclass(frozen=True, slots=True)
class Told:
    """What a message says of itself, once it is proved."""

    event_id: str
    type: str


def verified(source: WebhookSource, headers: Headers, body: bytes) -> Told:
    """Return what the message says of itself; raises `InvalidSignature`, or `ValidationFailed` for a bad id."""
    secrets = [secret for secret in (source.secret, source.old_secret) if secret]
    if not any(_CHECKS[source.scheme](source, secret, headers, body) for secret in secrets):
        raise InvalidSignature
    facts = _facts(body)
    return Told(_event_id(source, headers, body, facts), _type(source, headers, facts))


def _standard(source: WebhookSource, secret: str, headers: Headers, body: bytes) -> bool:
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not _is_recent(source, sent_at):
        return False
    given = [part.removeprefix("v1,") for part in _header(source, headers, "webhook-signature").split(" ")]
    expected = _mac(_standard_key(secret), f"{message_id}.{sent_at}.".encode() + body)
    return _any_equal(given, base64.b64encode(expected).decode())


def _stripe(source: WebhookSource, secret: str, headers: Headers, body: bytes) -> bool:
    parts = [part.strip().partition("=") for part in _header(source, headers, "stripe-signature").split(",")]
    sent_at = next((value for name, _, value in parts if name == "t"), "")
    if not _is_recent(source, sent_at):
        return False
    given = [value for name, _, value in parts if name == "v1"]
    return _any_equal(given, _mac(secret.encode(), f"{sent_at}.".encode() + body).hex())


def _github(source: WebhookSource, secret: str, headers: Headers, body: bytes) -> bool:
    given = _header(source, headers, "x-hub-signature-256")
    return _any_equal([given], f"sha256={_mac(secret.encode(), body).hex()}")


def _hmac(source: WebhookSource, secret: str, headers: Headers, body: bytes) -> bool:
    given = _header(source, headers, "x-signature").removeprefix("sha256=")
    expected = _mac(secret.encode(), body)
    return _any_equal([given.lower()], expected.hex()) or _any_equal([given], base64.b64encode(expected).decode())


_CHECKS: Final[dict[str, Callable[[WebhookSource, str, Headers, bytes], bool]]] = {
    STANDARD: _standard,
    STRIPE: _stripe,
    GITHUB: _github,
    HMAC: _hmac,
}


def refuse_secret(scheme: str, secret: str) -> None:
    """Raise `ValidationFailed` for a secret that the scheme cannot use."""
    if not secret:
        raise ValidationFailed.of("secret", "blank", "Give the secret that the other side signs with.")
    if scheme == STANDARD:
        try:
            is_key = bool(_standard_key(secret))
        except ValueError:
            is_key = False
        if not is_key:
            message = "A secret of Standard Webhooks is base64, usually after `whsec_`."
            raise ValidationFailed.of("secret", "invalid", message)


def _standard_key(secret: str) -> bytes:
    text = secret.removeprefix("whsec_")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(secret) from error


def _header(source: WebhookSource, headers: Headers, usual: str) -> str:
    return headers.get(source.signature_header.lower() or usual, "")


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()


def _any_equal(given: list[str], expected: str) -> bool:
    """Compare in constant time; a header with heaps of signatures is no more work than one with a handful."""
    wanted = expected.encode()
    return any(hmac.compare_digest(one.encode(errors="replace"), wanted) for one in given[:_MOST_SIGNATURES])


def _is_recent(source: WebhookSource, sent_at: str) -> bool:
    is_number = sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= 12
    return is_number and abs(time.time() - int(sent_at)) <= source.tolerance_seconds


def _facts(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _event_id(source: WebhookSource, headers: Headers, body: bytes, facts: dict[str, Any]) -> str:
    """Return the id by which a message is known again; a message without any is known by its digest."""
    usual = {STANDARD: "webhook-id", GITHUB: "x-github-delivery"}.get(source.scheme, "")
    name = source.event_id_header.lower() or usual
    found = headers.get(name, "") if name else facts.get("id")
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not found:
        return f"sha256:{hashlib.sha256(body).hexdigest()}"
    if len(found) > _LONGEST_ID or not (found.isascii() and found.isprintable()):
        raise ValidationFailed.of("event_id", "invalid", "An event's id is 1 to 255 printable ASCII characters.")
    return found


def _type(source: WebhookSource, headers: Headers, facts: dict[str, Any]) -> str:
    found = headers.get("x-github-event", "") if source.scheme == GITHUB else facts.get("type")
    is_text = isinstance(found, str) and found.isascii() and found.isprintable()
    return str(found)[:100] if is_text else ""
