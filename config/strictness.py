"""What production does not start without: every fault is found at once, each told in one line."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from config import env

_LEAST_LENGTH: Final = 32
_LEAST_VARIETY: Final = 12
_KNOWN_DEFAULTS: Final = re.compile(r"insecure|change.?me|password|example|default|tests?.only|0123456789abcdef", re.I)

_REQUIRED: Final = {
    "ALLOWED_HOSTS": "name the hosts that this server answers to",
    "DATABASE_URL": "give postgres://user:password@host:5432/name",
    "EMAIL_URL": "name the mail server, smtp://user:password@host:587",
    "PUBLIC_URL": "give the https:// address that people reach this server at",
    "TRUSTED_PROXY_COUNT": "say how many proxies stand in front, 0 if none",
}
_SECRETS: Final = {
    "SECRET_KEY": "openssl rand -hex 32",
    "ENCRYPTION_KEYS": "1:$(openssl rand -base64 32)",
    "JWT_KEYS": "1:$(openssl rand -base64 32)",
}
_OPTIONAL_SECRETS: Final = {"METRICS_TOKEN": "openssl rand -hex 32"}


def refuse_faults(settings: Mapping[str, Any]) -> None:
    """Raise one `ConfigurationError` that names every missing or weak setting, a line for each."""
    faults = [*_missing(), *_weak_secrets(settings), *_contradictions(settings)]
    if faults:
        raise env.ConfigurationError("\n".join(faults))


def weakness(secret: str) -> str | None:
    """Return what is wrong with a secret, None when nothing is."""
    if len(secret.encode()) < _LEAST_LENGTH:
        return f"is shorter than {_LEAST_LENGTH} bytes"
    if len(set(secret)) < _LEAST_VARIETY:
        return "repeats a few characters"
    if _KNOWN_DEFAULTS.search(secret):
        return "is a known default"
    return None


def _missing() -> Iterator[str]:
    for name, remedy in _REQUIRED.items():
        if not env.is_given(name):
            yield f"{name} is missing: {remedy}."
    if not (env.is_given("REDIS_URL") or (env.is_given("CACHE_URL") and env.is_given("STATE_URL"))):
        yield "REDIS_URL is missing: give redis://user:password@host:6379/0, or CACHE_URL and STATE_URL."


def _weak_secrets(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, command in (_SECRETS | _OPTIONAL_SECRETS).items():
        if not settings[name]:
            if name in _SECRETS:
                yield f"{name} is missing: make one with `{command}`."
            continue
        for secret in _parts(name, settings[name]):
            fault = weakness(secret)
            if fault is not None:
                yield f"{name} {fault}: make one with `{command}`."


def _parts(name: str, value: str) -> list[str]:
    if not name.endswith("_KEYS"):
        return [value]
    return [entry.partition(":")[2] for entry in value.split(",") if entry.strip()]


def _contradictions(settings: Mapping[str, Any]) -> Iterator[str]:
    if "*" in settings["ALLOWED_HOSTS"]:
        yield "ALLOWED_HOSTS names every host (*): name the ones that are ours."
    if settings["PUBLIC_URL"] and not settings["PUBLIC_URL"].startswith("https://"):
        yield "PUBLIC_URL must start with https://."
