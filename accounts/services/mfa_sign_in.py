"""The second step of a sign-in, and of proving again who one is: a code or a passkey, throttled per account.

A try counts before it is looked at, a wrong one counts for the account too, whichever `mfa_token` it came with.
"""

from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import MfaChallenge, User
from accounts.relying_party import Credential
from accounts.services import second_factors, throttle
from accounts.services.mfa_challenges import (
    challenge_of_id,
    claim_try,
    find_challenge,
    redeem_challenge,
    refuse_elsewhere,
    refused,
)
from accounts.services.passkey_sign_in import CopySuspected, Passkeys, report_copy
from accounts.services.recovery_codes import RecoveryCodes
from accounts.services.sessions import (
    SignIn,
    locked_as_checked,
    open_locked_session,
    reauthenticate,
    refuse_on_behalf,
    renew_sign_in,
)
from accounts.services.totp import Totp, is_totp_code
from core.errors import InvalidCredentials, InvalidToken, NotFound
from core.events import publish
from core.permissions import Caller


def verify_second_factor(*, mfa_token: str, method: str, given: Any, device_token: str = "") -> SignIn:
    """Open the session that the token's sign-in was about.

    Raises `InvalidToken` for a token that serves no longer, `InvalidCredentials` and `RateLimited`.
    """
    return _answer(find_challenge(mfa_token), method, given, device_token)


def verify_second_factor_of(*, challenge_id: UUID, method: str, given: Any, device_token: str = "") -> SignIn:
    """Do the same for a challenge that our own signed cookie names; raises the same."""
    return _answer(challenge_of_id(challenge_id), method, given, device_token)


def passkey_options_of(*, challenge_id: UUID) -> dict[str, Any] | None:
    """Return new options to prove a passkey to the sign-in; None for a user without one, or when it waits no longer."""
    try:
        challenge = challenge_of_id(challenge_id)
    except InvalidToken:
        return None
    user = challenge.user
    options = second_factors.options_of(user, methods=_passkey_of(user), bound_to=str(challenge.pk))
    return options.get(Passkeys.name)


def reauthenticate_by_code(*, actor: Caller, code: str) -> SignIn:
    """Hand out an access token with a fresh sign-in time for a code of the actor's app or a recovery code.

    The session has two factors from now on. Raises `InvalidCredentials` and `RateLimited`.
    """
    return _reauthenticate(actor, method_of_code(code), code)


def reauthenticate_by_passkey(*, actor: Caller, credential: Credential) -> SignIn:
    """Do the same for a passkey that has signed the options of `begin_reauthentication`; raises the same."""
    return _reauthenticate(actor, Passkeys.name, credential)


def begin_reauthentication(*, actor: Caller) -> dict[str, Any]:
    """Return options for one of the actor's passkeys to confirm that it is them; raises `NotFound` without any."""
    refuse_on_behalf(actor)
    user = User.objects.get(pk=actor.own_id)
    options = second_factors.options_of(user, methods=_passkey_of(user), bound_to=str(actor.session_id))
    if Passkeys.name not in options:
        raise NotFound
    return options[Passkeys.name]


def reauthenticate_by_either(*, actor: Caller, proof: str) -> SignIn:
    """Do the same by a code where the actor has two-factor sign-in, else by their password."""
    if User.objects.get(pk=actor.own_id).mfa_enabled:
        return reauthenticate_by_code(actor=actor, code=proof)
    return reauthenticate(actor=actor, password=proof)


def method_of_code(code: str) -> str:
    """Return which method a code is of, by its form."""
    return Totp.name if is_totp_code(code) else RecoveryCodes.name


def _passkey_of(user: User) -> set[str]:
    return {Passkeys.name} & set(second_factors.methods_of(user))


def _reauthenticate(actor: Caller, method: str, given: Any) -> SignIn:
    refuse_on_behalf(actor)
    key = throttle.second_factor_key(actor.own_id)
    throttle.refuse_if_blocked(key)
    try:
        return _renew(actor, method, given, key)
    except InvalidCredentials as refusal:
        _refuse(refusal, key, User.objects.get(pk=actor.own_id), method)
        raise


def _refuse(refusal: InvalidCredentials, key: str, user: User, method: str) -> None:
    """Let what was refused be known where it has to be, now that its transaction is undone."""
    _record_failure(key, user, method)
    if isinstance(refusal, CopySuspected):
        report_copy(refusal)


def _answer(challenge: MfaChallenge, method: str, given: Any, device_token: str) -> SignIn:
    key = throttle.second_factor_key(challenge.user_id, device_token=device_token)
    throttle.refuse_if_blocked(key)
    claim_try(challenge)
    try:
        return _open(challenge, method, given, device_token, key)
    except InvalidCredentials as refusal:
        _refuse(refusal, key, challenge.user, method)
        raise


@transaction.atomic
def _open(challenge: MfaChallenge, method: str, given: Any, device_token: str, key: str) -> SignIn:
    user = locked_as_checked(challenge.user)
    refuse_elsewhere(challenge, user, device_token=device_token)
    # The code comes before all else that writes, so that those who are wrong hold the user's row for a moment only.
    proved = second_factors.prove(user, method=method, given=given, bound_to=str(challenge.pk))
    # Before the user's row is free again: of many who bring the one right code, those who lose fail after this.
    throttle.accept_success(key)
    redeem_challenge(challenge)
    return open_locked_session(user, device_token=device_token, amr=second_factors.with_proof(challenge.amr, proved))


@transaction.atomic
def _renew(actor: Caller, method: str, given: Any, key: str) -> SignIn:
    user = User.objects.locked().filter(pk=actor.own_id).first()
    if user is None:
        raise refused()
    proved = second_factors.prove(user, method=method, given=given, bound_to=str(actor.session_id))
    throttle.accept_success(key)
    return renew_sign_in(actor, user, proved=proved)


@transaction.atomic
def _record_failure(key: str, user: User, method: str) -> None:
    name = method if method in second_factors.METHODS else "unknown"
    publish("mfa.failed", subject=user, actor=Caller(None), data={"method": name}, audience=[user.pk])
    # Last, because many who fail at once wait here for each other.
    throttle.record_failure(key)
