"""What passkeys and threat rules cannot work with: said at the start, and not to the first person who needs them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.core import checks
from django.core.checks import CheckMessage, Error

from accounts.countries import database_fault
from accounts.relying_party import allowed_origins, relying_party_id


@checks.register("nook")
def check_passkeys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return every origin from which browsers would refuse a passkey of ours (WebAuthn, 5.1.3 and 13.4.9)."""
    domain = relying_party_id()
    return [message for origin in allowed_origins() for message in _faults_of(origin, domain)] if domain else []


@checks.register("nook")
def check_countries(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the file that tells countries."""
    fault = database_fault()
    hint = "Name an MMDB file that the server may read, or leave GEOIP_DATABASE empty."
    return [Error(f"GEOIP_DATABASE: {fault}", hint=hint, id="nook.E142")] if fault else []


def _faults_of(origin: str, domain: str) -> Iterator[CheckMessage]:
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if origin != f"{parts.scheme}://{parts.netloc}" or (parts.scheme != "https" and not _is_local(host)):
        hint = "Write https://host, with a port where it is not 443, and nothing behind it."
        yield Error(f"PASSKEY_ORIGINS: no browser uses passkeys on {origin!r}.", hint=hint, id="nook.E140")
    elif host != domain and not host.endswith(f".{domain}"):
        hint = "Set PASSKEY_RP_ID to the domain that all origins share, before the first passkey is made."
        yield Error(f"The passkeys of {domain} do not serve on {origin}.", hint=hint, id="nook.E141")


def _is_local(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")
