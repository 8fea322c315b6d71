"""The key ring that access tokens are signed with: `JWT_KEYS="id:secret,id:secret"`, the first one signs, all verify.

A secret is 32 random bytes in base64 (`openssl rand -base64 32`): the private scalar of a P-256 key.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_SCALAR_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One P-256 key with the id by which tokens name it."""

    kid: str
    private: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        return self.private.public_key()

    @property
    def jwk(self) -> dict[str, str]:
        """Return the public half as a JSON Web Key (RFC 7517)."""
        numbers = self.public.public_numbers()
        return {
            "kty": "EC",
            "crv": "P-256",
            "alg": "ES256",
            "use": "sig",
            "kid": self.kid,
            "x": _base64url(numbers.x),
            "y": _base64url(numbers.y),
        }


def active_key() -> SigningKey:
    """Return the key that signs."""
    return next(iter(_ring(settings.JWT_KEYS).values()))


def key_named(kid: Any) -> SigningKey | None:
    """Return the key of the ring that a token names, if it is there."""
    return _ring(settings.JWT_KEYS).get(kid) if isinstance(kid, str) else None


def published_keys() -> list[dict[str, str]]:
    """Return what `/.well-known/jwks.json` lists."""
    return [key.jwk for key in _ring(settings.JWT_KEYS).values()]


def ring_with_new_key(ring: str, *, keep: int) -> str:
    """Return the text of a ring that signs with a new key and still verifies with the first `keep` of the old."""
    scalar = base64.b64encode(secrets.token_bytes(_SCALAR_BYTES)).decode()
    entries = [entry.strip() for entry in ring.split(",") if entry.strip()]
    return ",".join([f"{secrets.token_hex(4)}:{scalar}", *entries[:keep]])


@lru_cache(maxsize=4)
def _ring(text: str) -> dict[str, SigningKey]:
    keys = [_key(entry.strip()) for entry in text.split(",") if entry.strip()]
    if not keys:
        raise ImproperlyConfigured("JWT_KEYS is empty: give id:secret, the secret from `openssl rand -base64 32`.")
    return {key.kid: key for key in keys}


def _key(entry: str) -> SigningKey:
    kid, _, secret = entry.partition(":")
    scalar = _decoded(secret)
    if not kid or len(scalar) != _SCALAR_BYTES:
        raise ImproperlyConfigured(
            f"JWT_KEYS: the entry {kid[:20]!r} is not id:secret with 32 bytes of base64 (`openssl rand -base64 32`)."
        )
    return SigningKey(kid, ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1()))


def _decoded(secret: str) -> bytes:
    try:
        return base64.b64decode(secret, validate=True)
    except binascii.Error:
        return b""


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(_SCALAR_BYTES, "big")).rstrip(b"=").decode()
