"""AES-256-GCM under a ring of keys: the first key of `ENCRYPTION_KEYS` seals, every key opens.

A sealed value reads `nk1:<key id>:<base64url of nonce, ciphertext and tag>`. Each purpose has its own key,
derived by HKDF from the ring's, so that random nonces stay far below their limit of 2^32 messages a key. The
context is authenticated, not stored: a value that was moved to another row or column no longer opens.
"""

import base64
import binascii
import os
import re
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VERSION: Final = "nk1"
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class DecryptionFailed(Exception):
    """A stored value does not open: changed, moved, sealed with a key that is gone, or never sealed at all."""


def encrypt(plaintext: bytes, *, context: str, purpose: str = "general") -> str:
    """Return `plaintext` sealed with the active key, to be opened with the same context and purpose only."""
    key_id = active_key_id()
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + _cipher(settings.ENCRYPTION_KEYS, key_id, purpose).encrypt(nonce, plaintext, context.encode())
    return f"{VERSION}:{key_id}:{base64.urlsafe_b64encode(sealed).decode()}"


def decrypt(sealed: str, *, context: str, purpose: str = "general") -> bytes:
    """Return what `encrypt` was given; raises `DecryptionFailed` for everything else."""
    key_id = key_id_of(sealed)
    if key_id not in parse_keys(settings.ENCRYPTION_KEYS):
        raise DecryptionFailed(f"ENCRYPTION_KEYS has no key {key_id!r}: give the key that sealed this value.")
    try:
        raw = base64.urlsafe_b64decode(sealed.rsplit(":", 1)[1])
        cipher = _cipher(settings.ENCRYPTION_KEYS, key_id, purpose)
        return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
    except (InvalidTag, binascii.Error, ValueError):
        raise DecryptionFailed("The value was changed, or sealed for another place.") from None


def active_key_id() -> str:
    """Return the id of the key that seals: the first of the ring."""
    return next(iter(parse_keys(settings.ENCRYPTION_KEYS)))


def key_id_of(sealed: str) -> str:
    """Return the id of the key that sealed a value; raises `DecryptionFailed` where the prefix is missing."""
    parts = sealed.split(":")
    if len(parts) != 3 or parts[0] != VERSION:
        raise DecryptionFailed("The value does not carry the prefix of a sealed one.")
    return parts[1]


@lru_cache(maxsize=8)
def parse_keys(ring: str) -> dict[str, bytes]:
    """Return the keys of `id:base64,id:base64` in their order; raises `ImproperlyConfigured` with what is wrong."""
    keys: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in ring.split(","))):
        key_id, _, encoded = entry.partition(":")
        if not _KEY_ID.fullmatch(key_id) or key_id in keys:
            raise ImproperlyConfigured("ENCRYPTION_KEYS: every key needs an id of its own, as in id:base64,id:base64.")
        keys[key_id] = _key_bytes(key_id, encoded)
    if not keys:
        raise ImproperlyConfigured("ENCRYPTION_KEYS is missing: give id:base64 with 32 random bytes.")
    return keys


def _key_bytes(key_id: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded.replace("-", "+").replace("_", "/") + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ImproperlyConfigured(f"ENCRYPTION_KEYS: the key {key_id!r} is not 32 bytes in base64.")
    return key


@lru_cache(maxsize=256)
def _cipher(ring: str, key_id: str, purpose: str) -> AESGCM:
    derivation = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"{VERSION}:{purpose}".encode())
    return AESGCM(derivation.derive(parse_keys(ring)[key_id]))
