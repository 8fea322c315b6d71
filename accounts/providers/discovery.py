"""What a provider publishes of itself: its OpenID configuration and its signing keys, kept for a day at most.

Keys are asked for again when a token names one that is unknown, though not within a minute of the last time.
Without Redis they are asked for at each sign-in.
"""

import time
from typing import Any, Final
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from accounts.providers.asking import Clock, ask, json_object, unavailable
from accounts.providers.table import MICROSOFT, Provider
from core.cache import cached, forget

NAMESPACE: Final = "providers"
TENANT: Final = "{tenantid}"
_PATH: Final = "/.well-known/openid-configuration"
_KEPT: Final = (
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "token_endpoint_auth_methods_supported",
    "authorization_response_iss_parameter_supported",
)
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_LEAST_SECONDS_BETWEEN: Final = 60
_PERSONAL_ACCOUNTS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
# A symmetric key in a public document is no key: whoever reads it could sign (RFC 8725, 3.1).
_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})


def metadata_of(provider: Provider, *, clock: Clock) -> dict[str, Any]:
    """Return the provider's OpenID configuration (OpenID Connect Discovery 1.0); raises `ServiceUnavailable`."""
    metadata: dict[str, Any] = cached(
        NAMESPACE, f"metadata:{provider.issuer}", lambda: _fetch_metadata(provider, clock)
    )
    return metadata


def signing_keys(provider: Provider, address: str, *, clock: Clock) -> dict[str, Any]:
    """Return `{"fetched_at", "keys"}` of the provider's JWKS (RFC 7517); raises `ServiceUnavailable`."""
    kept: dict[str, Any] = cached(NAMESPACE, f"keys:{address}", lambda: _fetch_keys(provider, address, clock))
    return kept


def newer_signing_keys(
    provider: Provider, address: str, kept: dict[str, Any], *, clock: Clock
) -> dict[str, Any] | None:
    """Return the keys asked for anew, or None when those at hand are less than a minute old."""
    if time.time() - kept["fetched_at"] < _LEAST_SECONDS_BETWEEN:
        return None
    forget(NAMESPACE, f"keys:{address}")
    return signing_keys(provider, address, clock=clock)


def usable_keys(rows: list[Any]) -> KeySet:
    """Return the public keys that may sign, whatever else the document holds."""
    keys = []
    for row in rows:
        if isinstance(row, dict) and row.get("kty") in _KEY_TYPES and row.get("use", "sig") == "sig":
            try:
                keys.append(JWKRegistry.import_key(row))
            except (JoseError, ValueError, TypeError, KeyError):
                continue
    return KeySet(keys)


def _fetch_metadata(provider: Provider, clock: Clock) -> dict[str, Any]:
    response = ask(provider, "GET", provider.issuer.rstrip("/") + _PATH, clock=clock)
    if response.status != 200:
        raise unavailable(provider, f"The OpenID configuration answers {response.status}.")
    metadata = json_object(provider, response)
    if metadata.get("issuer") not in _announced_issuers(provider):
        raise unavailable(provider, f"The issuer calls itself {str(metadata.get('issuer'))[:200]!r}.")
    for name in _ENDPOINTS:
        if not _is_as_safe_as(provider.issuer, metadata.get(name)):
            raise unavailable(provider, f"The OpenID configuration has no usable {name}.")
    return {name: metadata[name] for name in _KEPT if name in metadata}


def _announced_issuers(provider: Provider) -> set[str]:
    """Return what the configuration may call itself: the issuer; Microsoft's shared ones name no tenant or a fixed one.

    Which tenant it is says each ID token (`accounts.providers.openid` compares).
    """
    if provider.id != MICROSOFT:
        return {provider.issuer}
    shared = {"/common/": f"/{TENANT}/", "/organizations/": f"/{TENANT}/", "/consumers/": f"/{_PERSONAL_ACCOUNTS}/"}
    for name, tenant in shared.items():
        if name in provider.issuer:
            return {provider.issuer.replace(name, tenant)}
    return {provider.issuer}


def _fetch_keys(provider: Provider, address: str, clock: Clock) -> dict[str, Any]:
    response = ask(provider, "GET", address, clock=clock)
    keys = json_object(provider, response).get("keys") if response.status == 200 else None
    if not isinstance(keys, list) or not usable_keys(keys):
        raise unavailable(provider, "The provider publishes no usable keys.")
    return {"fetched_at": time.time(), "keys": keys}


def _is_as_safe_as(issuer: str, address: Any) -> bool:
    """Return whether the address is HTTPS, or plain HTTP where the operator allowed that for the issuer."""
    if not isinstance(address, str):
        return False
    return urlsplit(address).scheme in {"https", urlsplit(issuer).scheme}
