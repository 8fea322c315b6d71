"""Key pairs on P-256, as base64url text without padding: the private number, and the uncompressed point."""

import base64

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def new_pair() -> tuple[str, str]:
    """Return a new private key and its public one."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_numbers().private_value.to_bytes(32, "big")
    return base64url(private), base64url(public_point(key))


def private_key_of(text: str) -> ec.EllipticCurvePrivateKey:
    """Return the key behind the text; raises `ValueError` for text that is none."""
    raw = from_base64url(text)
    if len(raw) != 32:
        raise ValueError("A private key on P-256 has 32 bytes.")
    return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the 65 bytes of the public key (X9.62, uncompressed)."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def base64url(raw: bytes) -> str:
    """Return the text without padding (RFC 4648, 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return the bytes, with or without padding; raises `ValueError` for text that is none."""
    bare = text.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
