"""Opaque tokens: `<prefix>_<256 random bits in base62><CRC-32 in base62>`.

The checksum lets a scanner find a leaked token and lets the edge refuse junk without a query; what is stored
is the SHA-256 of the whole token, enough for 256 random bits.
"""

import hashlib
import secrets
import string
import zlib
from typing import Final

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH: Final = 43
_CHECKSUM_LENGTH: Final = 6


def random_token(prefix: str) -> str:
    """Return a new token that starts with `<prefix>_`."""
    return token_from(prefix, secrets.token_bytes(32))


def token_from(prefix: str, seed: bytes) -> str:
    """Return the token whose secret part is these 32 bytes; they have to be as good as random."""
    secret = _base62(int.from_bytes(seed, "big"), _RANDOM_LENGTH)
    return f"{prefix}_{secret}{_checksum(prefix, secret)}"


def is_well_formed_token(token: str, prefix: str) -> bool:
    """Return whether `token` could have come from `random_token(prefix)`, by its length and checksum."""
    start = f"{prefix}_"
    if not token.startswith(start) or len(token) != len(start) + _RANDOM_LENGTH + _CHECKSUM_LENGTH:
        return False
    secret, checksum = token[len(start) : -_CHECKSUM_LENGTH], token[-_CHECKSUM_LENGTH:]
    return secret.isascii() and secret.isalnum() and checksum == _checksum(prefix, secret)


def token_digest(token: str) -> bytes:
    """Return the 32 bytes by which a token is stored and looked up."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(prefix: str, secret: str) -> str:
    return _base62(zlib.crc32(f"{prefix}_{secret}".encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, remainder = divmod(number, 62)
        digits.append(_ALPHABET[remainder])
    return "".join(reversed(digits))
