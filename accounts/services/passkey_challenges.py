"""Challenges for authenticators: issued for one purpose, taken once."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import PasskeyChallenge, User
from accounts.relying_party import Refused
from accounts.tokens import digest

REGISTRATION: Final = "registration"
SIGN_IN: Final = "sign_in"
SECOND_FACTOR: Final = "second_factor"
LIFETIME: Final = timedelta(minutes=5)


def issue_challenge(
    *, purpose: str, user: User | None = None, bound_to: str = "", user_handle: str = ""
) -> PasskeyChallenge:
    """Return a new challenge; only whoever shows the same `bound_to` (a session, an mfa_token) can have it taken."""
    return PasskeyChallenge.objects.create(
        challenge=secrets.token_urlsafe(32),
        purpose=purpose,
        bound_to=digest(bound_to) if bound_to else "",
        user=user,
        user_handle=user_handle,
        expires_at=datetime.now(UTC) + LIFETIME,
    )


def take_challenge(
    *, purpose: str, challenge: str, bound_to: str = "", user_id: UUID | None = None
) -> PasskeyChallenge:
    """Use the challenge up and return it; raises `Refused` when there is none such, or another was faster.

    It is gone whatever is found out about the answer to it.
    """
    owner = Q(user=None) if user_id is None else Q(user_id=user_id)
    found = PasskeyChallenge.objects.filter(
        owner,
        challenge=challenge,
        purpose=purpose,
        bound_to=digest(bound_to) if bound_to else "",
        expires_at__gt=Now(),
    ).first()
    if found is None or PasskeyChallenge.objects.filter(pk=found.pk).delete()[0] != 1:
        raise Refused("This challenge is not out for this.")
    return found


def purge_passkey_challenges() -> int:
    """Delete the challenges that nobody has answered in time; return how many."""
    return PasskeyChallenge.objects.filter(expires_at__lt=Now()).delete()[0]
