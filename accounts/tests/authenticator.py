"""An authenticator in software, with keys of its own: it writes the bytes that WebAuthn Level 3 says a browser sends.

What it is told to do wrong (no user verification, another site, a count that goes back) it does, as a thief would.
"""

import hashlib
import json
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Protocol

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

ORIGIN = "https://nook.example"
USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


def to_base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Key(Protocol):
    """A key pair of one algorithm."""

    def cose(self) -> dict[int, Any]: ...

    def sign(self, data: bytes) -> bytes: ...


class Es256:
    """ECDSA on P-256, as most authenticators have it."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())

    def cose(self) -> dict[int, Any]:
        numbers = self._private.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data, ec.ECDSA(hashes.SHA256()))


class Ed25519:
    """EdDSA."""

    def __init__(self) -> None:
        self._private = ed25519.Ed25519PrivateKey.generate()

    def cose(self) -> dict[int, Any]:
        return {1: 1, 3: -8, -1: 6, -2: self._private.public_key().public_bytes_raw()}

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)


class Rs256:
    """RSA with PKCS #1 v1.5, as Windows Hello has it."""

    def __init__(self) -> None:
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def cose(self) -> dict[int, Any]:
        numbers = self._private.public_key().public_numbers()
        return {1: 3, 3: -257, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data, padding.PKCS1v15(), hashes.SHA256())


@dataclass
class Authenticator:
    """One thing that holds one passkey; its fields are what it does at the next use."""

    key: Key = field(default_factory=Es256)
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    origin: str = ORIGIN
    rp_id: str | None = None
    flags: int = USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE | BACKED_UP
    sign_count: int = 0
    counts: bool = False
    user_handle: str | None = None
    client_data: dict[str, Any] = field(default_factory=dict)
    statement: tuple[str, dict[str, Any]] = ("none", {})
    transports: tuple[str, ...] = ("internal", "hybrid")

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what `navigator.credentials.create(…).toJSON()` gives for these options."""
        self.user_handle = options["user"]["id"]
        attested = (
            bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + cbor2.dumps(self.key.cose())
        )
        data = self._authenticator_data(options["rp"]["id"], ATTESTED) + attested
        fmt, statement = self.statement
        return self._credential(
            {
                "clientDataJSON": to_base64url(self._client_data("webauthn.create", options["challenge"])),
                "attestationObject": to_base64url(
                    cbor2.dumps({"fmt": fmt, "attStmt": statement, "authData": data}),
                ),
                "transports": list(self.transports),
                "publicKeyAlgorithm": self.key.cose()[3],
            }
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what `navigator.credentials.get(…).toJSON()` gives for these options."""
        if self.counts:
            self.sign_count += 1
        client_data = self._client_data("webauthn.get", options["challenge"])
        data = self._authenticator_data(options["rpId"])
        return self._credential(
            {
                "clientDataJSON": to_base64url(client_data),
                "authenticatorData": to_base64url(data),
                "signature": to_base64url(self.key.sign(data + hashlib.sha256(client_data).digest())),
                "userHandle": self.user_handle,
            }
        )

    def _client_data(self, type_: str, challenge: str) -> bytes:
        data = {"type": type_, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **self.client_data}
        return json.dumps(data).encode()

    def _authenticator_data(self, rp_id: str, more_flags: int = 0) -> bytes:
        rp_hash = hashlib.sha256((self.rp_id or rp_id).encode()).digest()
        return rp_hash + bytes([self.flags | more_flags]) + struct.pack(">I", self.sign_count)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = to_base64url(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
