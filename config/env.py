"""The one reader of environment variables.

Every setting that an operator may give is read here, once, with its type, its default and a line of
help, so that `docs/configuration.md` is generated from the same calls that the process starts with.
`NAME_FILE` names a file whose content is taken instead (Docker and Kubernetes secrets).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final


class ConfigurationError(Exception):
    """A setting is missing or wrong; the message is one line that says which and what would be right."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting an operator may give: its name, kind, printed default and help."""

    name: str
    kind: str
    default: str
    help: str


REGISTRY: Final[dict[str, Setting]] = {}

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


def text(name: str, default: str, *, help: str, kind: str = "text") -> str:
    """Return the variable's value, or the content of the file that `NAME_FILE` names, or the default."""
    REGISTRY[name] = Setting(name, kind, default, help)
    value = _raw(name)
    return default if value is None else value


def texts(pattern: str, ids: Sequence[str], *, help: str, kind: str = "text") -> dict[str, str]:
    """Return for each id the variable that `pattern` (`OAUTH_<ID>_ISSUER`) names for it; empty where not given."""
    REGISTRY[pattern] = Setting(pattern, kind, "", help)
    return {id: _raw(pattern.replace("<ID>", id.upper().replace("-", "_"))) or "" for id in ids}


def is_given(name: str) -> bool:
    """Return whether the operator gave the variable, or its file, a value."""
    return bool((_raw(name) or "").strip())


def is_set(name: str) -> bool:
    """Return whether the operator gave the variable, or its file, any value: an empty one too."""
    return _raw(name) is not None


def boolean(name: str, default: bool, *, help: str) -> bool:
    """Return True or False; anything but a plain yes or no is refused."""
    raw = text(name, "true" if default else "false", help=help, kind="boolean").strip().lower()
    if raw in _TRUE:
        return True
    if raw in _FALSE:
        return False
    raise ConfigurationError(f"{name} must be true or false, not {raw!r}.")


def integer(name: str, default: int, *, help: str, minimum: int | None = None, maximum: int | None = None) -> int:
    """Return a whole number within its bounds."""
    raw = text(name, str(default), help=help, kind="integer")
    try:
        value = int(raw)
    except ValueError:
        raise ConfigurationError(f"{name} must be a whole number, not {raw!r}.") from None
    if minimum is not None and value < minimum:
        raise ConfigurationError(f"{name} must be at least {minimum}, not {value}.")
    if maximum is not None and value > maximum:
        raise ConfigurationError(f"{name} must be at most {maximum}, not {value}.")
    return value


def number(name: str, default: float, *, help: str, minimum: float | None = None) -> float:
    """Return a decimal number that is at least `minimum`."""
    raw = text(name, f"{default:g}", help=help, kind="number")
    try:
        value = float(raw)
    except ValueError:
        raise ConfigurationError(f"{name} must be a number, not {raw!r}.") from None
    if minimum is not None and value < minimum:
        raise ConfigurationError(f"{name} must be at least {minimum:g}, not {value:g}.")
    return value


def choice(name: str, default: str, choices: Sequence[str], *, help: str) -> str:
    """Return one of `choices`."""
    value = text(name, default, help=f"{help} One of: {', '.join(choices)}.", kind="choice")
    if value not in choices:
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def items(name: str, default: tuple[str, ...] = (), *, help: str) -> list[str]:
    """Return the comma-separated values, stripped, without empty ones."""
    raw = text(name, ",".join(default), help=help, kind="list")
    return [item.strip() for item in raw.split(",") if item.strip()]


def _raw(name: str) -> str | None:
    file_name = os.environ.get(f"{name}_FILE")
    if file_name is None:
        return os.environ.get(name)
    if name in os.environ:
        raise ConfigurationError(f"Give {name} or {name}_FILE, not both.")
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{name}_FILE: cannot read {file_name}: {error.strerror}.") from None
