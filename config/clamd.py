"""Where the virus scanner is: `CLAMD_URL`."""

from typing import Any, Final
from urllib.parse import urlsplit

from config.env import ConfigurationError

_PORT: Final = 3310
_WANTED: Final = "CLAMD_URL must be tcp://host:3310 or unix:///path/of/clamd.sock"


def clamd_from_url(url: str) -> dict[str, Any]:
    """Return the host and port, or the path, that the URL names; nothing for an empty one."""
    if not url:
        return {}
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        raise ConfigurationError(f"{_WANTED}.") from None
    if parts.query or parts.fragment or parts.username:
        raise ConfigurationError(f"{_WANTED}, without anything more.")
    if parts.scheme == "tcp" and parts.hostname and parts.path in {"", "/"}:
        return {"host": parts.hostname, "port": port}
    if parts.scheme == "unix" and not parts.netloc and len(parts.path) > 1:
        return {"path": parts.path}
    raise ConfigurationError(f"{_WANTED}.")
