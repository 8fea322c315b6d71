"""One thing the doctor looked at."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing stands, and what to do when it does not stand well."""

    level: Literal["green", "yellow", "red"]
    subject: str
    found: str
    advice: str = ""


def good(subject: str, found: str) -> Finding:
    """Return that nothing is to be done."""
    return Finding("green", subject, found)


def worth_a_look(subject: str, found: str, advice: str) -> Finding:
    """Return that something will want doing."""
    return Finding("yellow", subject, found, advice)


def bad(subject: str, found: str, advice: str) -> Finding:
    """Return that something is broken."""
    return Finding("red", subject, found, advice)
