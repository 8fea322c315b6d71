"""The ID token: checked to the letter of OpenID Connect Core 1.0, 3.1.3.7, and turned into a proven identity."""

import logging
from typing import Any, Final
from uuid import UUID

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jws import JWSRegistry

from accounts.providers.asking import Clock, ask, json_object
from accounts.providers.discovery import TENANT, newer_signing_keys, signing_keys, usable_keys
from accounts.providers.identities import ProvenIdentity, says_yes, usable_email, usable_name
from accounts.providers.table import MICROSOFT, Provider
from core.errors import ValidationFailed

logger = logging.getLogger(__name__)

# Asymmetric ones alone: neither `none` nor a MAC, whose "secret" would be the public key (RFC 8725, 3.1 and 3.2).
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
_LEEWAY_SECONDS: Final = 60
_LONGEST_TOKEN: Final = 16_384
_LONGEST_SUBJECT: Final = 255
_FAULTS: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


def untrusted(provider: Provider, reason: str) -> ValidationFailed:
    """Return the refusal of an answer that does not prove what it says; the log has the reason."""
    logger.warning("social sign-in refused", extra={"provider": provider.id, "reason": reason})
    return ValidationFailed.of(None, "untrusted_identity", "The provider's answer could not be trusted; start again.")


def prove_by_id_token(
    provider: Provider, metadata: dict[str, Any], answer: dict[str, Any], *, nonce: str, clock: Clock
) -> ProvenIdentity:
    """Return who the ID token of a token answer is about; raises `ValidationFailed` or `ServiceUnavailable`."""
    claims = _verified_claims(provider, metadata, answer, nonce=nonce, clock=clock)
    about = claims if "email" in claims else {**claims, **_user_info(provider, metadata, answer, claims, clock=clock)}
    email = usable_email(about.get("email"))
    return ProvenIdentity(
        provider=provider.id,
        issuer=claims["iss"],
        subject=claims["sub"],
        email=email,
        email_verified=bool(email) and _is_email_proven(provider, about),
        name=usable_name(about.get("name"), email=email),
    )


def _is_email_proven(provider: Provider, claims: dict[str, Any]) -> bool:
    """Return whether the provider says that the address is this person's.

    At Microsoft any tenant's administrator can write any address into `email`; only `xms_edov`, an optional claim
    of the app's registration, says that the address's domain belongs to the tenant.
    """
    return says_yes(claims.get("xms_edov" if provider.id == MICROSOFT else "email_verified"))


def _verified_claims(
    provider: Provider, metadata: dict[str, Any], answer: dict[str, Any], *, nonce: str, clock: Clock
) -> dict[str, Any]:
    id_token = answer.get("id_token")
    if not isinstance(id_token, str) or len(id_token) > _LONGEST_TOKEN:
        raise untrusted(provider, "There is no ID token.")
    token, key = _decoded(provider, metadata["jwks_uri"], id_token, clock)
    try:
        issuer = _issuer_of(metadata["issuer"], token.claims)
        if "issuer" in key and key["issuer"].replace(TENANT, str(token.claims.get("tid"))) != issuer:
            raise untrusted(provider, "The key is another issuer's.")
        _validate(provider, token, issuer, nonce=nonce, access_token=answer.get("access_token"))
    except _FAULTS as error:
        raise untrusted(provider, f"{type(error).__name__}: {error}"[:200]) from None
    return token.claims


def _decoded(provider: Provider, address: str, id_token: str, clock: Clock) -> tuple[jwt.Token, dict[str, Any]]:
    """Return the token whose signature is right, and the published key that signed it."""
    kept = signing_keys(provider, address, clock=clock)
    try:
        try:
            token = _decode(id_token, kept)
        except InvalidKeyIdError:
            newer = newer_signing_keys(provider, address, kept, clock=clock)
            if newer is None:
                raise
            kept, token = newer, _decode(id_token, newer)
    except _FAULTS as error:
        raise untrusted(provider, type(error).__name__) from None
    key_id = token.header.get("kid")
    return token, next((row for row in kept["keys"] if isinstance(row, dict) and row.get("kid") == key_id), {})


def _decode(id_token: str, kept: dict[str, Any]) -> jwt.Token:
    registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
    return jwt.decode(id_token, usable_keys(kept["keys"]), registry=registry)


def _validate(provider: Provider, token: jwt.Token, issuer: str, *, nonce: str, access_token: Any) -> None:
    options = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": provider.client_id},
        "sub": {"essential": True},
    }
    known = {"nonce": nonce, "client_id": provider.client_id, "access_token": access_token}
    CodeIDToken(token.claims, token.header, options, known).validate(leeway=_LEEWAY_SECONDS)
    subject = token.claims["sub"]
    if not subject.isascii() or not subject.isprintable() or len(subject) > _LONGEST_SUBJECT:
        raise ValueError("sub")


def _issuer_of(announced: str, claims: dict[str, Any]) -> str:
    """Return the issuer that the token must name; a shared one of Microsoft's is that of the token's own tenant."""
    return announced.replace(TENANT, str(UUID(claims["tid"]))) if TENANT in announced else announced


def _user_info(
    provider: Provider, metadata: dict[str, Any], answer: dict[str, Any], claims: dict[str, Any], *, clock: Clock
) -> dict[str, Any]:
    """Return address and name from the UserInfo endpoint, for providers whose ID tokens lack them (Core, 5.3)."""
    address, access_token = metadata.get("userinfo_endpoint"), answer.get("access_token")
    if not isinstance(address, str) or not isinstance(access_token, str):
        return {}
    response = ask(provider, "GET", address, clock=clock, headers={"authorization": f"Bearer {access_token}"})
    found = json_object(provider, response) if response.status == 200 else {}
    if found and found.get("sub") != claims["sub"]:
        raise untrusted(provider, "The UserInfo is about somebody else.")
    return {name: found[name] for name in ("email", "email_verified", "name") if name in found}
