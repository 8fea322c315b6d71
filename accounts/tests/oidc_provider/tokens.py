"""The provider's keys, and ID tokens signed as they should be and as they should not."""

import base64
import hashlib
import hmac
import json
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey


def half_hash(access_token: str) -> str:
    """Return the claim `at_hash` of a token signed with SHA-256."""
    return _encoded(hashlib.sha256(access_token.encode()).digest()[:16])


class Keys:
    """The key that signs, the one before it that is still published, and a stranger's."""

    def __init__(self) -> None:
        self._number = 0
        self._stranger = RSAKey.generate_key(2048)
        self._keys: list[RSAKey] = []
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key; the last one is published for a while."""
        self._number += 1
        self._keys = [RSAKey.generate_key(2048, {"kid": f"key-{self._number}", "use": "sig"}), *self._keys][:2]

    def published(self) -> dict[str, Any]:
        """Return the JWKS, with keys in it that are not for us."""
        others = [{"kty": "ML-DSA", "kid": "tomorrow"}, {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}]
        return {"keys": [*others, *(key.as_dict(private=False) for key in self._keys)]}

    def signed(self, claims: dict[str, Any], how: str) -> str:
        """Return the ID token: `how` is right, none, hmac or stranger."""
        key = self._keys[0]
        header = {"alg": "RS256", "kid": key.kid}
        if how == "none":
            return f"{_part({**header, 'alg': 'none'})}.{_part(claims)}."
        if how == "hmac":
            start = f"{_part({**header, 'alg': 'HS256'})}.{_part(claims)}"
            mac = hmac.new(key.as_pem(private=False), start.encode(), hashlib.sha256).digest()
            return f"{start}.{_encoded(mac)}"
        return jwt.encode(header, claims, self._stranger if how == "stranger" else key)


def _part(content: dict[str, Any]) -> str:
    return _encoded(json.dumps(content).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
