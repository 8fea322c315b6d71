"""Telephone numbers as they are stored: E.164, and of a kind that a text message can reach."""

from typing import Final

import phonenumbers
from django.conf import settings
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

_REACHED_BY_TEXT: Final = frozenset(
    {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.VOIP}
)
"""Landlines take no code, and the kinds that cost extra are what a fraud would have us write to."""

_MESSAGES: Final = {
    "invalid_phone": "Give a telephone number with its country, as in +43 664 1234567.",
    "not_a_mobile": "Give the number of a mobile telephone.",
    "country_not_served": "Numbers of this country are not served here.",
}


class UnusablePhone(ValueError):
    """A number that is none, or that we write to no more than others; `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(_MESSAGES[code])
        self.code = code


def normalised_phone(text: str) -> str:
    """Return the number in E.164 (`+436641234567`); raises `UnusablePhone`."""
    try:
        number = phonenumbers.parse(text)
    except NumberParseException:
        raise UnusablePhone("invalid_phone") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise UnusablePhone("invalid_phone")
    if phonenumbers.number_type(number) not in _REACHED_BY_TEXT:
        raise UnusablePhone("not_a_mobile")
    written = str(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    if settings.SMS_ALLOWED_PREFIXES and not written.startswith(tuple(settings.SMS_ALLOWED_PREFIXES)):
        raise UnusablePhone("country_not_served")
    return written


def masked_phone(number: str) -> str:
    """Return the number as a mail shows it: its country's first digits and its last three."""
    return f"{number[:3]}•••{number[-3:]}"
