"""The configured providers, and what is known of those that everybody uses."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from core.errors import NotFound

GITHUB: Final = "github"
MICROSOFT: Final = "microsoft"

_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_NOT_IDS: Final = frozenset({"providers", "connections"})
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class _Facts:
    name: str
    issuer: str
    scope: str = "openid email profile"


_KNOWN: Final[dict[str, _Facts]] = {
    "google": _Facts("Google", "https://accounts.google.com"),
    MICROSOFT: _Facts("Microsoft", "https://login.microsoftonline.com/common/v2.0"),
    # No OpenID Connect: two calls of its own API say who somebody is.
    GITHUB: _Facts("GitHub", "https://github.com", "read:user user:email"),
}


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider that people may sign in with; never shows its secret."""

    id: str
    name: str
    issuer: str
    scope: str
    client_id: str
    client_secret: str = field(repr=False)


def providers() -> dict[str, Provider]:
    """Return the configured providers by id, in their order; raises `ImproperlyConfigured` with what is wrong."""
    if settings.OAUTH_PROVIDERS and not settings.OAUTH_REDIRECT_URIS:
        raise ImproperlyConfigured(
            "OAUTH_REDIRECT_URIS is missing: give the address of your front end that providers send people back to."
        )
    for uri in settings.OAUTH_REDIRECT_URIS:
        _refuse_bad_redirect(uri)
    return {id: _provider(id, given) for id, given in settings.OAUTH_PROVIDERS.items()}


def find_provider(id: str) -> Provider:
    """Return the provider with this id; raises `NotFound`."""
    if id not in settings.OAUTH_PROVIDERS:
        raise NotFound
    return _provider(id, settings.OAUTH_PROVIDERS[id])


def name_of(id: str) -> str:
    """Return what people read for a provider, one that is not configured any more included."""
    return find_provider(id).name if id in settings.OAUTH_PROVIDERS else id.capitalize()


def _provider(id: str, given: dict[str, str]) -> Provider:
    if not _ID.fullmatch(id) or id in _NOT_IDS:
        raise ImproperlyConfigured(f"OAUTH_PROVIDERS: {id!r} is no id; write a-z, 0-9 and hyphens.")
    facts = _KNOWN.get(id, _Facts(id.replace("-", " ").capitalize(), ""))
    prefix = f"OAUTH_{id.upper().replace('-', '_')}"
    for name in ("client_id", "client_secret"):
        if not given[name] or not given[name].isascii():
            raise ImproperlyConfigured(f"{prefix}_{name.upper()} is missing, or holds more than ASCII.")
    issuer = given["issuer"] or facts.issuer
    if not _may_be_asked(issuer):
        raise ImproperlyConfigured(f"{prefix}_ISSUER must be the https:// address of the provider, without a query.")
    return Provider(id, given["name"] or facts.name, issuer, facts.scope, given["client_id"], given["client_secret"])


def _may_be_asked(url: str) -> bool:
    """Return whether the URL is HTTPS, or plain HTTP to a host that the operator named as allowed."""
    parts = urlsplit(url)
    if parts.query or parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (
        parts.scheme == "http" and bool({parts.hostname, parts.netloc} & set(settings.OUTBOUND_ALLOWED_HOSTS))
    )


def _refuse_bad_redirect(uri: str) -> None:
    """Refuse what RFC 9700 2.1 and RFC 8252 7 do: fragments, wildcards, plain HTTP to another machine."""
    parts = urlsplit(uri)
    is_web = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS)
    is_app = "." in parts.scheme
    if not ((is_web and parts.hostname) or is_app) or "#" in uri or "*" in uri:
        raise ImproperlyConfigured(
            f"OAUTH_REDIRECT_URIS: {uri!r} must be https://…, http://localhost…, or com.example.app:/…, in full."
        )
