"""An SMS URL as the dictionary that `notifications.channels.sms` reads."""

import re
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from config import env

_OPTIONS: Final = frozenset({"from", "messaging_service", "tls"})
_SENDER: Final = re.compile(r"\+[1-9][0-9]{6,14}|[A-Za-z0-9 ]{1,11}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def sms_from_url(url: str, *, timeout: float) -> dict[str, Any]:
    """Return `settings.SMS` for `twilio://SID:TOKEN@api.twilio.com?from=%2B15005550006` or `consolesms://`; {} for "".

    `?messaging_service=MG…` takes the place of `from`. Another host speaks the same API. Raises `ConfigurationError`
    for anything else.
    """
    if not url:
        return {}
    parts = urlsplit(url)
    if parts.scheme == "consolesms":
        return {"scheme": "console", "timeout": timeout}
    if parts.scheme != "twilio":
        raise env.ConfigurationError("SMS_URL must start with twilio:// or consolesms://.")
    if not (parts.hostname and parts.username and parts.password):
        raise env.ConfigurationError("SMS_URL: write twilio://SID:TOKEN@api.twilio.com?from=%2B15005550006.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    return {
        "scheme": "twilio",
        "base_url": _base_url(parts, options),
        "account": unquote(parts.username),
        "token": unquote(parts.password),
        **_sender(options),
        "timeout": timeout,
    }


def _base_url(parts: SplitResult, options: dict[str, str]) -> str:
    if unknown := options.keys() - _OPTIONS:
        raise env.ConfigurationError(f"SMS_URL has no option {', '.join(sorted(unknown))}.")
    in_clear = options.get("tls") == "none"
    if options.get("tls", "none") != "none" or (in_clear and parts.hostname not in _LOOPBACK):
        raise env.ConfigurationError("SMS_URL: tls=none is for a server on this machine, and tls knows no other value.")
    try:
        port = parts.port
    except ValueError:
        raise env.ConfigurationError("SMS_URL: the port is not a number.") from None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{'http' if in_clear else 'https'}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _sender(options: dict[str, str]) -> dict[str, str]:
    sender, service = options.get("from", ""), options.get("messaging_service", "")
    if bool(sender) == bool(service):
        raise env.ConfigurationError("SMS_URL: give from=%2B… or messaging_service=MG…, one of them.")
    if sender and not _SENDER.fullmatch(sender):
        raise env.ConfigurationError("SMS_URL: from is a number as %2B15005550006 or a name of at most 11 letters.")
    return {"messaging_service": service} if service else {"sender": sender}
