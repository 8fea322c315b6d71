"""GitHub, which speaks OAuth 2.0 without OpenID Connect: its API says who somebody is, and their addresses."""

from typing import Any
from urllib.parse import urlsplit

from accounts.providers.asking import Clock, ask, unavailable
from accounts.providers.identities import ProvenIdentity, usable_email, usable_name
from accounts.providers.table import Provider
from core.http_client import RequestFailed

_PUBLIC_HOST = "github.com"


def endpoints_of(provider: Provider) -> dict[str, Any]:
    """Return the addresses of GitHub, or of the GitHub Enterprise Server that the issuer names."""
    base = provider.issuer.rstrip("/")
    return {
        "issuer": provider.issuer,
        "authorization_endpoint": f"{base}/login/oauth/authorize",
        "token_endpoint": f"{base}/login/oauth/access_token",
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }


def prove_by_api(provider: Provider, answer: dict[str, Any], *, clock: Clock) -> ProvenIdentity:
    """Return whom the access token belongs to; the address is the primary one. Raises `ServiceUnavailable`."""
    user = _get(provider, "/user", answer, clock)
    rows = _get(provider, "/user/emails", answer, clock)
    if not isinstance(user, dict) or type(user.get("id")) is not int or not isinstance(rows, list):
        raise unavailable(provider, "The API's answer has another form.")
    primary: dict[str, Any] = next((row for row in rows if isinstance(row, dict) and row.get("primary") is True), {})
    email = usable_email(primary.get("email"))
    return ProvenIdentity(
        provider=provider.id,
        issuer=provider.issuer,
        subject=str(user["id"]),
        email=email,
        email_verified=bool(email) and primary.get("verified") is True,
        name=usable_name(user.get("name") or user.get("login"), email=email),
    )


def _get(provider: Provider, path: str, answer: dict[str, Any], clock: Clock) -> Any:
    headers = {"authorization": f"Bearer {answer['access_token']}", "accept": "application/vnd.github+json"}
    response = ask(provider, "GET", _api(provider) + path, clock=clock, headers=headers)
    if response.status != 200:
        raise unavailable(provider, f"The API answers {response.status}.")
    try:
        return response.json()
    except RequestFailed as error:
        raise unavailable(provider, str(error)) from None


def _api(provider: Provider) -> str:
    is_public = urlsplit(provider.issuer).hostname == _PUBLIC_HOST
    return "https://api.github.com" if is_public else f"{provider.issuer.rstrip('/')}/api/v3"
