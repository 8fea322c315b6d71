"""A mail URL as the dictionary that `notifications.channels.email` reads."""

from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from config import env

_TLS: Final = ("starttls", "implicit", "none")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final = {"starttls": 587, "implicit": 465, "none": 25}


def mail_from_url(url: str, *, timeout: float, name: str = "EMAIL_URL") -> dict[str, Any]:
    """Return a mail server of the settings.

    For `smtp://user:password@host:port?tls=…`, `smtps://…`, `filemail:///folder` or `consolemail://`.

    `smtp://` demands STARTTLS unless the server is on this machine, or `?tls=none` (a mail catcher on a trusted
    network) is written out.
    Raises `ConfigurationError`, which says the setting's `name`, for anything else.
    """
    parts = urlsplit(url)
    if parts.scheme == "consolemail":
        return {"scheme": "console"}
    if parts.scheme == "filemail":
        return {"scheme": "folder", "folder": _folder(parts.netloc, parts.path, name)}
    if parts.scheme not in {"smtp", "smtps"}:
        raise env.ConfigurationError(f"{name} must start with smtp://, smtps://, filemail:/// or consolemail://.")
    if not parts.hostname:
        raise env.ConfigurationError(f"{name} names no host.")
    try:
        port = parts.port
    except ValueError:
        raise env.ConfigurationError(f"{name}: the port is not a number.") from None
    is_local = parts.hostname in _LOOPBACK
    tls = _tls(parts.scheme, dict(parse_qsl(parts.query, keep_blank_values=True)), is_local=is_local, name=name)
    if tls == "none" and parts.username and not is_local:
        raise env.ConfigurationError(f"{name}: a password is never sent without TLS; drop tls=none or the user.")
    return {
        "scheme": "smtp",
        "host": parts.hostname,
        "port": port or _PORTS[tls],
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "tls": tls,
        "timeout": timeout,
    }


def _folder(host: str, path: str, name: str) -> str:
    if host or not path.strip("/"):
        raise env.ConfigurationError(f"{name}: write the mail folder as filemail:///absolute/folder.")
    return unquote(path)


def _tls(scheme: str, options: dict[str, str], *, is_local: bool, name: str) -> str:
    unsaid = "none" if is_local else "starttls"
    tls = options.pop("tls", "implicit" if scheme == "smtps" else unsaid)
    if options:
        raise env.ConfigurationError(f"{name} has no option {', '.join(sorted(options))}; it knows tls.")
    if tls not in _TLS or (scheme == "smtps" and tls != "implicit"):
        raise env.ConfigurationError(f"{name}: tls must be starttls, implicit or none (smtps:// is implicit).")
    return tls
