"""Tokens: the signed access token (SimpleJWT's classes, ES256) and the opaque ones, of which we keep digests only."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from django.conf import settings
from django.utils.crypto import salted_hmac
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.tokens import Token

from accounts.models import Session, User
from accounts.signing_keys import active_key, key_named
from core.crypto import token_digest, token_from
from core.errors import InvalidToken, TokenExpired

ALGORITHM: Final = "ES256"
REFRESH_PREFIX: Final = "nkr"
MAIL_PREFIX: Final = "nkm"
DEVICE_PREFIX: Final = "nkd"
MFA_PREFIX: Final = "nkc"
API_PREFIX: Final = "nk"

_REQUIRED_CLAIMS: Final = ["exp", "iat", "iss", "aud", "sub", "jti", "sid", "typ", "auth_time"]


class KeyRingBackend(TokenBackend):
    """Signs with the ring's first key and verifies with the one that `kid` names."""

    def encode(self, payload: dict[str, Any]) -> str:
        key = active_key()
        claims = {**payload, "iss": settings.JWT_ISSUER, "aud": settings.JWT_AUDIENCE}
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                self.get_verifying_key(token),
                algorithms=[ALGORITHM],
                audience=settings.JWT_AUDIENCE,
                issuer=settings.JWT_ISSUER,
                options={"require": _REQUIRED_CLAIMS},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("Token is expired") from error
        except jwt.InvalidTokenError as error:
            raise TokenBackendError("Token is invalid") from error

    def get_verifying_key(self, token: Any) -> Any:
        key = key_named(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise TokenBackendError("Token is invalid")
        return key.public


class AccessToken(Token):
    """The 15-minute token of a session; `role` and `email` in it are for its bearer, no decision reads them."""

    token_type = "access"  # noqa: S105  # the value of the `typ` claim
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)
    _token_backend = KeyRingBackend(ALGORITHM)

    @classmethod
    def of(cls, session: Session, user: User, *, authenticated_at: datetime) -> "AccessToken":
        """Return a new token of `session`."""
        token = cls()
        token["sub"] = str(user.pk)
        token["sid"] = str(session.pk)
        token["email"] = user.email
        token["role"] = user.role_name
        token["amr"] = session.amr
        if session.impersonated_by_id is not None:
            # RFC 8693 §4.1: who it is that acts as the subject. Such a session is as long as its one token.
            token["act"] = {"sub": str(session.impersonated_by_id)}
            token.set_exp(lifetime=session.expires_at - datetime.now(UTC))
        token["auth_time"] = int(authenticated_at.timestamp())
        return token


def verified_claims(token: str) -> dict[str, Any]:
    """Return the claims of an access token whose signature, times, issuer, audience and type are right.

    Raises `TokenExpired` or `InvalidToken`.
    """
    try:
        return dict(AccessToken(token).payload)  # type: ignore[arg-type]  # SimpleJWT calls the encoded text a Token
    except ExpiredTokenError:
        raise TokenExpired from None
    except TokenError:
        raise InvalidToken from None


def digest(token: str) -> str:
    """Return what is stored of an opaque token."""
    return token_digest(token).hex()


def successor(refresh_token: str, salt: str) -> str:
    """Return the one refresh token that follows `refresh_token`, given the salt drawn when it was spent.

    A twin of the request that spent it arrives at the same successor, so grace never forks the family.
    Who holds an old token needs our secret key and the salt's row besides.
    """
    mac = salted_hmac(f"accounts.refresh:{salt}", refresh_token, algorithm="sha256").digest()
    return token_from(REFRESH_PREFIX, mac)
