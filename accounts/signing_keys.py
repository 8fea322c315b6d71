"""The key ring that access tokens are signed with: `JWT_KEYS="id:secret,id:secret"`, the first one signs, all verify.

A secret is 32 random bytes in base64 (`openssl rand -base64 32`): the private scalar of a P-256 key.

A key may carry the moment from which it signs: `id@20261121T093000Z:secret`. Until then the one behind it signs,
so that processes which got the new ring earlier and later all change over at one moment, when each of them (and
each service that keeps a copy of the key set) knows the new key. When the last token of the key before it has
expired, that one verifies no longer and leaves the key set by itself.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_SCALAR_BYTES: Final = 32
_MOMENT: Final = "%Y%m%dT%H%M%SZ"
_CLOCK_DIFFERENCE: Final = timedelta(seconds=60)
"""How far apart the clocks of our processes may be."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One P-256 key with the id by which tokens name it."""

    kid: str
    private: ec.EllipticCurvePrivateKey
    signs_from: datetime | None = None

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
    ring, now = _ring(settings.JWT_KEYS), datetime.now(UTC)
    started = (key for key in ring.values() if key.signs_from is None or key.signs_from <= now)
    return next(started, list(ring.values())[-1])


def key_named(kid: Any) -> SigningKey | None:
    """Return the key of the ring that a token names, if it is there and not retired."""
    key = _ring(settings.JWT_KEYS).get(kid) if isinstance(kid, str) else None
    return None if key is None or _is_retired(key, settings.JWT_KEYS) else key


def published_keys() -> list[dict[str, str]]:
    """Return what `/.well-known/jwks.json` lists: the keys that verify, and the one that will sign next."""
    return [key.jwk for key in serving_keys(settings.JWT_KEYS)]


def serving_keys(ring: str) -> list[SigningKey]:
    """Return the keys of the ring that are not retired, in its order."""
    return [key for key in _ring(ring).values() if not _is_retired(key, ring)]


def next_key(ring: str) -> SigningKey | None:
    """Return the key that is known already and does not sign yet, if there is one."""
    now = datetime.now(UTC)
    return next((key for key in _ring(ring).values() if key.signs_from is not None and key.signs_from > now), None)


def ring_with_new_key(ring: str, *, keep: int, signs_from: datetime) -> str:
    """Return the text of a ring with a new key, and behind it the first `keep` of those that still verify."""
    scalar = base64.b64encode(secrets.token_bytes(_SCALAR_BYTES)).decode()
    serving = {key.kid for key in serving_keys(ring)}
    entries = [entry for entry in _entries(ring) if entry.partition(":")[0].partition("@")[0] in serving]
    return ",".join([f"{secrets.token_hex(4)}@{signs_from:{_MOMENT}}:{scalar}", *entries[:keep]])


def _is_retired(key: SigningKey, ring: str) -> bool:
    """Return whether every token that the key has signed is over: the one after it has signed for long enough."""
    keys = list(_ring(ring).values())
    newer = keys[: keys.index(key)]
    over = datetime.now(UTC) - timedelta(seconds=settings.ACCESS_TOKEN_SECONDS) - _CLOCK_DIFFERENCE
    return any(other.signs_from is not None and other.signs_from <= over for other in newer)


def _entries(ring: str) -> list[str]:
    return [entry.strip() for entry in ring.split(",") if entry.strip()]


@lru_cache(maxsize=4)
def _ring(text: str) -> dict[str, SigningKey]:
    keys = [_key(entry) for entry in _entries(text)]
    if not keys:
        raise ImproperlyConfigured("JWT_KEYS is empty: give id:secret, the secret from `openssl rand -base64 32`.")
    return {key.kid: key for key in keys}


def _key(entry: str) -> SigningKey:
    name, _, secret = entry.partition(":")
    kid, is_dated, moment = name.partition("@")
    scalar = _decoded(secret)
    if not kid or len(scalar) != _SCALAR_BYTES:
        raise ImproperlyConfigured(
            f"JWT_KEYS: the entry {kid[:20]!r} is not id:secret with 32 bytes of base64 (`openssl rand -base64 32`)."
        )
    private = ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())
    return SigningKey(kid, private, _moment(kid, moment) if is_dated else None)


def _moment(kid: str, text: str) -> datetime:
    try:
        return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        raise ImproperlyConfigured(
            f"JWT_KEYS: {text[:30]!r} of the entry {kid[:20]!r} is no moment such as 20261121T093000Z."
        ) from None


def _decoded(secret: str) -> bytes:
    try:
        return base64.b64decode(secret, validate=True)
    except binascii.Error:
        return b""


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(_SCALAR_BYTES, "big")).rstrip(b"=").decode()
