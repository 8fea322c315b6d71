"""People with two-factor sign-in, and the app on their phone."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyotp
from django.test import Client

from accounts.models import TotpDevice, User
from accounts.services.recovery_codes import issue_recovery_codes
from accounts.services.totp import STEP_SECONDS, new_secret
from accounts.tests.answers import sign_in

VERIFY = "/api/v1/auth/mfa/verify"
ROOM_SECONDS = 4
"""What a test may take between reading a code at the edge and giving it."""


@dataclass(frozen=True)
class Phone:
    """An authenticator app with somebody's secret, and the recovery codes that they wrote down."""

    secret: str
    recovery_codes: list[str]

    def code(self, later: int = 0) -> str:
        """Return the code of the present step, or of one `later`; those of -1, 0 and 1 serve, in this order.

        A code at the edge (of -1, of 2) is given when its step has just begun: at its end it would be another's.
        """
        if later not in (0, 1):
            time.sleep(_until_a_step_has_room())
        step = int(datetime.now(UTC).timestamp()) // STEP_SECONDS
        return pyotp.TOTP(self.secret).generate_otp(step + later)


def _until_a_step_has_room() -> float:
    left = STEP_SECONDS - datetime.now(UTC).timestamp() % STEP_SECONDS
    return left if left < ROOM_SECONDS else 0


def give_phone(user: User) -> Phone:
    """Set up an authenticator app for the user, as the API would have."""
    secret = new_secret()
    TotpDevice.objects.create(user=user, secret=secret, confirmed_at=datetime.now(UTC))
    user.refresh_from_db()
    return Phone(secret, issue_recovery_codes(user))


def mfa_token_of(client: Client, user: User, **more: Any) -> str:
    """Return the `mfa_token` of a sign-in with the right password."""
    data = sign_in(client, user.email, **more).json()["data"]
    assert data["mfa_required"] is True
    token: str = data["mfa_token"]
    return token


def verify(client: Client, mfa_token: str, code: str, method: str = "totp", **more: Any) -> Any:
    """Return the answer to the second step."""
    body = {"mfa_token": mfa_token, "method": method, "code": code, **more}
    return client.post(VERIFY, body, "application/json")
