"""What a provider has proved about somebody, cleaned of what a stranger could have written into it."""

import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

_LONGEST: Final = 255


@dataclass(frozen=True, slots=True)
class ProvenIdentity:
    """Who signed in at a provider: `issuer` and `subject` name them for ever, everything else may change.

    `email` is empty where the provider gave none that mail can go to.
    """

    provider: str
    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str


def usable_email(given: Any) -> str:
    """Return the address in the form it is stored in, or the empty string where it cannot be one of ours."""
    if not isinstance(given, str) or not given.isascii() or len(given) > _LONGEST:
        return ""
    address = given.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address


def usable_name(given: Any, *, email: str) -> str:
    """Return one line of printable text; what stands before the @ where there is none."""
    text = unicodedata.normalize("NFC", given) if isinstance(given, str) else ""
    printable = "".join(
        character for character in text if unicodedata.category(character)[0] not in {"C", "Z"} or character == " "
    )
    return " ".join(printable.split())[:_LONGEST] or email.partition("@")[0] or "Somebody"


def says_yes(given: Any) -> bool:
    """Return whether a claim is true; some providers write their booleans as text or as a number."""
    return given is True or given in ("true", "1") or (type(given) is int and given == 1)
