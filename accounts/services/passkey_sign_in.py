"""Signing in with a passkey: alone, or as the second factor of a sign-in by password."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts.models import Passkey, User
from accounts.relying_party import Credential, Proof, Refused, assertion_options, challenge_in, verified_assertion
from accounts.services.passkey_challenges import SECOND_FACTOR, SIGN_IN, issue_challenge, take_challenge
from accounts.services.second_factors import SecondFactor, register
from accounts.services.sessions import SignIn, open_session
from core.errors import InvalidCredentials
from core.events import publish
from core.permissions import Caller

AMR: Final = ("hwk", "user")
"""The methods (RFC 8176) of a passkey: the key, and the user verified by the authenticator; two factors in one."""


class CopySuspected(InvalidCredentials):
    """The key has signed, but its count does not grow: there are two of it. Told to the log, never to the caller."""

    def __init__(self, passkey: Passkey, proof: Proof) -> None:
        super().__init__()
        self.passkey = passkey
        self.proof = proof


class Passkeys(SecondFactor):
    """The passkeys of an account, any of which will do."""

    name = "passkey"
    amr = AMR
    takes = "credential"

    def is_set_up(self, user: User) -> bool:
        return Passkey.objects.filter(user=user).exists()

    def begin(self, user: User, *, bound_to: str) -> dict[str, Any]:
        """Return the options for the browser to prove one of the user's passkeys to the sign-in `bound_to`."""
        challenge = issue_challenge(purpose=SECOND_FACTOR, user=user, bound_to=bound_to)
        return assertion_options(challenge=challenge, known=Passkey.objects.filter(user=user).order_by("created_at"))

    def verify(self, user: User, given: Any, *, bound_to: str) -> None:
        passkey, proof = _proved(given, purpose=SECOND_FACTOR, bound_to=bound_to, user_id=user.pk)
        _note_use(passkey, proof)

    def remove(self, user: User) -> None:
        Passkey.objects.filter(user=user).delete()

    def listed(self, user: User) -> list[dict[str, Any]]:
        return [describe_passkey(passkey) for passkey in Passkey.objects.filter(user=user).order_by("created_at")]


register(Passkeys())


def describe_passkey(passkey: Passkey) -> dict[str, Any]:
    """Return a passkey as its owner sees it."""
    return {
        "id": passkey.pk,
        "name": passkey.name,
        "transports": passkey.transports,
        "backup_eligible": passkey.backup_eligible,
        "backed_up": passkey.backed_up,
        "last_used_at": passkey.last_used_at,
        "created_at": passkey.created_at,
    }


def begin_sign_in() -> dict[str, Any]:
    """Return the options for the browser to sign in with whatever passkey the person picks.

    Nobody is named, so the answer tells nothing about anybody.
    """
    return assertion_options(challenge=issue_challenge(purpose=SIGN_IN))


def sign_in_with_passkey(*, credential: Credential, device_token: str = "") -> SignIn:
    """Open a session for whoever's passkey has signed one of our challenges.

    One refusal, `InvalidCredentials`, for everything that does not serve: an unknown or removed passkey, a
    wrong signature, an owner who is disabled, deleted or not confirmed.
    """
    passkey, proof = _proved(credential, purpose=SIGN_IN)
    try:
        return _open_session(passkey, proof, device_token)
    except CopySuspected as refusal:
        report_copy(refusal)
        raise


@transaction.atomic
def report_copy(refusal: CopySuspected) -> None:
    """Tell the log that two things seem to hold one key; not of a passkey that was removed in this very moment."""
    passkey = Passkey.objects.filter(pk=refusal.passkey.pk).first()
    if passkey is None:
        return
    publish(
        "passkey.copy_suspected",
        subject=passkey,
        actor=Caller(None),
        data={"name": passkey.name, "expected_above": passkey.sign_count, "given": refusal.proof.sign_count},
        audience=[passkey.user_id],
    )


def _proved(
    credential: Credential, *, purpose: str, bound_to: str = "", user_id: UUID | None = None
) -> tuple[Passkey, Proof]:
    try:
        challenge = take_challenge(
            purpose=purpose, challenge=challenge_in(credential), bound_to=bound_to, user_id=user_id
        )
        passkey = _find(credential, user_id)
        return passkey, verified_assertion(credential=credential, challenge=challenge.challenge, passkey=passkey)
    except Refused:
        raise InvalidCredentials from None


def _find(credential: Credential, user_id: UUID | None) -> Passkey:
    """Return the passkey of this id; without a user the authenticator has to name the account (WebAuthn, 7.2)."""
    passkeys = Passkey.objects.filter(credential_id=credential["id"])
    passkey = passkeys.filter(user_id=user_id).first() if user_id else passkeys.first()
    if passkey is None or (user_id is None and not credential["response"].get("userHandle")):
        raise Refused("There is no such passkey here.")
    return passkey


@transaction.atomic
def _open_session(passkey: Passkey, proof: Proof, device_token: str) -> SignIn:
    """Open the session for a user who may sign in.

    The user is locked before the passkey, as when one is removed: a removal ends every session that it overtakes.
    """
    user = User.objects.locked().filter(pk=passkey.user_id).first()
    if user is None or not _may_sign_in(user):
        raise InvalidCredentials
    _note_use(passkey, proof)
    return open_session(user=user, device_token=device_token, amr=(*AMR, "mfa"))


def _note_use(passkey: Passkey, proof: Proof) -> None:
    """Write the new sign count down; raise `CopySuspected` for one that does not grow (WebAuthn, 6.1.1).

    Authenticators that do not count (synchronised passkeys mostly) always say nought. One conditional UPDATE, so
    of two sign-ins with one count the second is refused; and a refused count stays unwritten, for it may be the copy's.
    """
    expected = Q(sign_count=0) if proof.sign_count == 0 else Q(sign_count__lt=proof.sign_count)
    used = Passkey.objects.filter(expected, pk=passkey.pk)
    changes = {"sign_count": proof.sign_count, "backed_up": proof.backed_up, "last_used_at": datetime.now(UTC)}
    if used.update(**changes) != 1:
        raise CopySuspected(passkey, proof)


def _may_sign_in(user: User) -> bool:
    return user.is_active and (user.email_verified or not settings.EMAIL_VERIFICATION_REQUIRED)
