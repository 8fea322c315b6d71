"""How providers of mail and text messages sign what they tell, each in the way that it has published.

What they name a message by is part of what is signed wherever anything is, so that nothing can be told twice by
another name: Twilio's SID and status, Mailgun's token. Postmark signs nothing; it proves itself by a password.
"""

import base64
import binascii
from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from cryptography.exceptions import InvalidSignature as NotSigned
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings

from notifications.callback_links import callback_url
from notifications.models.inbound import WebhookSource
from notifications.services.inbound.proofs import Incoming, Told, any_equal, digest_of, is_recent, mac, text_of

_MOST_FIELDS: Final = 200
_USUAL_PORTS: Final = {"https": 443, "http": 80}


def is_twilios(source: WebhookSource, secret: str, incoming: Incoming) -> bool:
    """Twilio: HMAC-SHA1 over the address that it called and the fields of the form, sorted by their names."""
    fields = "".join(name + value for name, value in sorted(set(_form(incoming.body))))
    given = [incoming.headers.get("x-twilio-signature", "")]
    return any(
        any_equal(given, base64.b64encode(mac(secret.encode(), (url + fields).encode(), "sha1")).decode())
        for url in _spellings(callback_url(source.key, incoming.query))
    )


def twilio_tells(incoming: Incoming) -> Told:
    form = dict(_form(incoming.body))
    status = form.get("MessageStatus") or form.get("SmsStatus", "")
    sid = form.get("MessageSid") or form.get("SmsSid", "")
    return Told(text_of(f"{sid}:{status}", 255) if sid else digest_of(incoming.body), text_of(f"sms.{status}"))


def is_postmarks(source: WebhookSource, secret: str, incoming: Incoming) -> bool:
    """Postmark: the name and the password that stand in the address it was given (`name:password`)."""
    given = incoming.headers.get("authorization", "").removeprefix("Basic ")
    return any_equal([given], base64.b64encode(secret.encode()).decode())


def postmark_tells(incoming: Incoming) -> Told:
    return Told(digest_of(incoming.body), text_of(f"postmark.{incoming.facts.get('RecordType', '')}"))


def is_sendgrids(source: WebhookSource, secret: str, incoming: Incoming) -> bool:
    """SendGrid: ECDSA over P-256 and SHA-256, of the time and the body; the secret is its public key."""
    sent_at = incoming.headers.get("x-twilio-email-event-webhook-timestamp", "")
    if not is_recent(sent_at, source.tolerance_seconds):
        return False
    try:
        signature = base64.b64decode(incoming.headers.get("x-twilio-email-event-webhook-signature", ""), validate=True)
        sendgrid_key(secret).verify(signature, sent_at.encode() + incoming.body, ec.ECDSA(SHA256()))
    except (NotSigned, ValueError):
        return False
    return True


def sendgrid_tells(incoming: Incoming) -> Told:
    return Told(digest_of(incoming.body), "sendgrid.events")


def sendgrid_key(secret: str) -> ec.EllipticCurvePublicKey:
    """Return the key that SendGrid shows as base64; raises `ValueError` for what is none."""
    lines = [line for line in secret.splitlines() if not line.startswith("-----")]
    try:
        key = load_der_public_key(base64.b64decode("".join(lines), validate=True))
    except binascii.Error as error:
        raise ValueError("no base64") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("not a key of an elliptic curve")  # noqa: TRY004  # a value of the right type
    return key


def is_mailguns(source: WebhookSource, secret: str, incoming: Incoming) -> bool:
    """Mailgun: HMAC-SHA256 over the time and a token that serves once; the body itself it does not sign."""
    proof = incoming.facts.get("signature")
    if not isinstance(proof, dict):
        return False
    sent_at, token, given = (str(proof.get(name, "")) for name in ("timestamp", "token", "signature"))
    is_due = bool(token) and is_recent(sent_at, source.tolerance_seconds)
    return is_due and any_equal([given], mac(secret.encode(), (sent_at + token).encode()).hex())


def mailgun_tells(incoming: Incoming) -> Told:
    told = incoming.facts.get("event-data")
    event = told.get("event", "") if isinstance(told, dict) else ""
    return Told(text_of(str(incoming.facts["signature"]["token"]), 255), text_of(f"mailgun.{event}"))


def twilio_secret() -> str:
    """Return the token that `SMS_URL` holds, for a source that has no secret of its own."""
    return str(settings.SMS.get("token", ""))


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return []


def _spellings(url: str) -> list[str]:
    """Return the address with its port and without: Twilio signs now one, now the other."""
    parts = urlsplit(url)
    if parts.hostname is None:
        return []
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or _USUAL_PORTS.get(parts.scheme, 443)
    return [urlunsplit(parts._replace(netloc=netloc)) for netloc in (host, f"{host}:{port}")]
