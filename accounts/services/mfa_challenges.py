"""Sign-ins that wait for their second step: the `mfa_token` is good for that step and for nothing else.

It serves five minutes, five tries and one success, on the device it began on, and dies with the password it
followed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import MfaChallenge as Challenge
from accounts.models import User
from accounts.services.second_factors import methods_of, options_of
from accounts.tokens import MFA_PREFIX, digest
from core.crypto import is_well_formed_token, random_token
from core.errors import InvalidToken

LIFETIME: Final = timedelta(minutes=5)
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class MfaChallenge:
    """What a first step hands out where a second one follows; the token in it is kept nowhere."""

    user: User
    id: UUID
    mfa_token: str
    methods: list[str]
    options: dict[str, dict[str, Any]]
    """What the client needs beforehand, by method (`passkey`: what the authenticator is to sign)."""


def issue_challenge(*, user: User, amr: list[str], device_token: str) -> MfaChallenge:
    """Return a new challenge for a user who has proved `amr` so far."""
    mfa_token = random_token(MFA_PREFIX)
    row = Challenge.objects.create(
        user=user,
        token=digest(mfa_token),
        password_state=_state_of(user),
        device=digest(device_token) if device_token else "",
        amr=amr,
        expires_at=datetime.now(UTC) + LIFETIME,
    )
    methods = methods_of(user)
    return MfaChallenge(user, row.pk, mfa_token, methods, options_of(user, methods=methods, bound_to=str(row.pk)))


def find_challenge(mfa_token: str) -> Challenge:
    """Return the challenge that the token names while it serves; raises `InvalidToken`."""
    if not is_well_formed_token(mfa_token, MFA_PREFIX):
        raise refused()
    return _serving(token=digest(mfa_token))


def challenge_of_id(challenge_id: UUID) -> Challenge:
    """Return the challenge that our own signed cookie names while it serves; raises `InvalidToken`."""
    return _serving(pk=challenge_id)


def claim_try(challenge: Challenge) -> None:
    """Take one of the tries, for good; one conditional UPDATE, so that many at once get five. Raises `InvalidToken`."""
    claimed = Challenge.objects.filter(pk=challenge.pk, tries__lt=TRIES, used_at=None, expires_at__gt=Now())
    if claimed.update(tries=F("tries") + 1) != 1:
        raise refused()


def refuse_elsewhere(challenge: Challenge, user: User, *, device_token: str) -> None:
    """Raise `InvalidToken` on another device than it began on, or after the user's password has changed."""
    is_theirs = constant_time_compare(challenge.password_state, _state_of(user))
    is_here = not challenge.device or constant_time_compare(challenge.device, digest(device_token))
    if not is_theirs or not is_here:
        raise refused()


def redeem_challenge(challenge: Challenge) -> None:
    """Use the challenge up, or raise `InvalidToken` when it is used or too old by now."""
    if Challenge.objects.filter(pk=challenge.pk, used_at=None, expires_at__gt=Now()).update(used_at=Now()) != 1:
        raise refused()


def purge_challenges() -> int:
    """Delete the challenges that ended more than a day ago; return how many."""
    return Challenge.objects.filter(expires_at__lt=datetime.now(UTC) - timedelta(days=1)).delete()[0]


def refused() -> InvalidToken:
    """Return the one refusal of every challenge that does not serve."""
    return InvalidToken("This sign-in has ended; begin again.")


def _serving(**which: object) -> Challenge:
    rows = Challenge.objects.select_related("user__role").filter(used_at=None, expires_at__gt=Now(), tries__lt=TRIES)
    challenge = rows.filter(**which).first()
    if challenge is None:
        raise refused()
    return challenge


def _state_of(user: User) -> str:
    return salted_hmac("accounts.mfa_challenges", user.password, algorithm="sha256").hexdigest()
