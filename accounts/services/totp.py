"""Authenticator apps: six digits that change every 30 seconds (RFC 6238), each of which serves once."""

import hmac
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pyotp
import segno
from django.conf import settings

from accounts.models import TotpDevice, User
from accounts.services.second_factors import SecondFactor, register
from core.errors import InvalidCredentials

STEP_SECONDS: Final = 30
_NEIGHBOURS: Final = (0, -1, 1)
"""The steps beside the present one whose code is taken too, for clocks that differ by half a minute."""

_DIGITS: Final = re.compile(r"[0-9]{6}")


class Totp(SecondFactor):
    """The confirmed authenticator app."""

    name = "totp"
    amr = ("otp",)

    def is_set_up(self, user: User) -> bool:
        return TotpDevice.objects.filter(user=user, confirmed_at__isnull=False).exists()

    def verify(self, user: User, given: Any, *, bound_to: str) -> None:
        device = TotpDevice.objects.filter(user=user, confirmed_at__isnull=False).first()
        if device is None or not spend_code(device, given):
            raise InvalidCredentials

    def remove(self, user: User) -> None:
        TotpDevice.objects.filter(user=user).delete()


register(Totp())


def is_totp_code(given: str) -> bool:
    """Return whether this has the form of an app's code; spaces, as apps show them, do not count."""
    return _DIGITS.fullmatch(given.replace(" ", "")) is not None


def spend_code(device: TotpDevice, given: Any) -> bool:
    """Return whether the code is right and its step is later than any that served; it serves no more.

    One conditional UPDATE, so that of many who bring the same code one wins.
    """
    step = _step_of(device.secret, given) if isinstance(given, str) else None
    if step is None:
        return False
    return TotpDevice.objects.filter(pk=device.pk, last_step__lt=step).update(last_step=step) == 1


def new_secret() -> str:
    """Return 160 random bits in base32, as RFC 4226 recommends."""
    return pyotp.random_base32(32)


def otpauth_uri(secret: str, email: str) -> str:
    """Return the address that an authenticator app reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=settings.SITE_NAME)


def qr_svg(text: str) -> str:
    """Return the QR code of `text` as an `<svg>` element, to stand in a page or in a `data:` address."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="svg", xmldecl=False, scale=4, border=4, light="#fff", nl=False
    )
    return drawn.getvalue().decode()


def _step_of(secret: str, given: str) -> int | None:
    code = given.replace(" ", "")
    if not is_totp_code(code):
        return None
    return next((step for step, right in _codes_around_now(secret) if hmac.compare_digest(right, code)), None)


def _codes_around_now(secret: str) -> Iterator[tuple[int, str]]:
    generator = pyotp.TOTP(secret)
    present = int(datetime.now(UTC).timestamp()) // STEP_SECONDS
    for neighbour in _NEIGHBOURS:
        yield present + neighbour, generator.generate_otp(present + neighbour)
