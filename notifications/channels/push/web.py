"""Web Push: encrypted to the browser (RFC 8291), signed for its push service (VAPID, RFC 8292)."""

import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import http_ece
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from core.breaker import CircuitOpen
from core.crypto.pairs import base64url, from_base64url, private_key_of, public_point
from core.http_client import RequestFailed, Response, request
from notifications.channels import DeliveryFailed
from notifications.channels.push import KEPT_FOR, DeviceGone, Notice, refused, unreachable

_TOKEN_SECONDS: Final = 12 * 3600
"""How long a VAPID token holds; a push service takes at most 24 hours."""

_ABOUT_US: Final = frozenset({401, 403, 408, 425, 429})
"""Answers about our key or about now; what was asked for is worth another try."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser gave us: where its push service listens, and the keys to encrypt for it (base64url)."""

    endpoint: str
    p256dh: str
    auth: str


def is_configured() -> bool:
    """Return whether there is a key to sign with."""
    return bool(settings.VAPID_PRIVATE_KEY)


def public_key() -> str:
    """Return the `applicationServerKey` that a browser subscribes with (base64url)."""
    return base64url(public_point(private_key_of(settings.VAPID_PRIVATE_KEY)))


def send(notice: Notice, subscription: Subscription) -> str:
    """Hand the notice to the browser's push service; raises `DeviceGone` and `DeliveryFailed`."""
    if not is_configured():
        raise DeliveryFailed("no key for Web Push is configured (VAPID_PRIVATE_KEY)", permanent=True)
    headers = {
        "TTL": str(int(KEPT_FOR.total_seconds())),
        "Urgency": "high" if notice.is_urgent else "normal",
        # A second try replaces the first one that the device has not fetched yet.
        "Topic": base64url(notice.id.bytes),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "Authorization": f"vapid t={_token(subscription.endpoint)}, k={public_key()}",
    }
    try:
        body = _sealed(notice, subscription)
        response = request(
            "POST",
            subscription.endpoint,
            data=body,
            headers=headers,
            timeout=settings.PUSH_TIMEOUT_SECONDS,
            allowed_hosts=settings.PUSH_ALLOWED_HOSTS,
            circuit=_circuit(subscription.endpoint),
        )
    except (RequestFailed, CircuitOpen) as error:
        unreachable(error)
    return _accepted(response)


def read_keys(p256dh: str, auth: str) -> None:
    """Raise `ValueError` for keys that nothing can be encrypted for."""
    point = from_base64url(p256dh)
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    if len(from_base64url(auth)) != 16:
        raise ValueError("The auth secret has 16 bytes.")


def _sealed(notice: Notice, subscription: Subscription) -> bytes:
    shown = {"title": notice.title, "body": notice.text, "data": dict(notice.data)}
    sealed: bytes = http_ece.encrypt(
        orjson.dumps(shown),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=from_base64url(subscription.p256dh),
        auth_secret=from_base64url(subscription.auth),
        version="aes128gcm",
    )
    return sealed


def _circuit(endpoint: str) -> str:
    """Return a breaker that only endpoints of the same server share.

    That of the host would be everybody's: whoever names a closed port of it could stop what others ask of that host.
    """
    parts = urlsplit(endpoint)
    return f"push:{parts.scheme}://{parts.netloc}"


def _accepted(response: Response) -> str:
    answer = f"{response.status} {response.body[:200].decode('utf-8', 'replace')}".strip()
    if response.ok:
        return answer
    if response.status in {404, 410}:
        raise DeviceGone(answer)
    is_final = 400 <= response.status < 500 and response.status not in _ABOUT_US
    raise refused(answer, response, is_final=is_final)


def _token(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int(time.time()) + _TOKEN_SECONDS,
        "sub": settings.VAPID_SUBJECT or settings.PUBLIC_URL,
    }
    return jwt.encode(claims, private_key_of(settings.VAPID_PRIVATE_KEY), algorithm="ES256")
