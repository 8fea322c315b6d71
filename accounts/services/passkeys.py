"""Passkeys of an account: adding one, naming it, removing it."""

import secrets
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.devices import device_name
from accounts.models import Passkey, User
from accounts.relying_party import (
    Credential,
    NewKey,
    Refused,
    challenge_in,
    registration_options,
    verified_registration,
)
from accounts.services.mfa_changes import announce_change, settle_removal, strengthen_session
from accounts.services.passkey_challenges import REGISTRATION, issue_challenge, take_challenge
from accounts.services.passkey_sign_in import AMR
from accounts.services.recovery_codes import issue_recovery_codes, recovery_codes_left
from accounts.services.sessions import locked_owner, require_recent_sign_in
from accounts.services.sign_in_methods import keep_a_sign_in_method, sign_in_method
from core import context
from core.errors import Conflict, NotFound, SessionRevoked, ValidationFailed
from core.events import publish
from core.permissions import Caller

MOST: Final = 20
"""How many passkeys an account may have: each sign-in by password lists them."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A new passkey, and the recovery codes that were made with it where the account had none left."""

    passkey: Passkey
    recovery_codes: list[str]


def begin_registration(*, actor: Caller) -> dict[str, Any]:
    """Return the options for the browser to make a passkey with; they serve once, within five minutes.

    Raises `ReauthenticationRequired`, and `Conflict` when the account has as many passkeys as it may.
    """
    require_recent_sign_in(actor)
    user = User.objects.get(pk=actor.own_id)
    own = list(Passkey.objects.filter(user=user).order_by("created_at"))
    _refuse_too_many(len(own))
    challenge = issue_challenge(
        purpose=REGISTRATION,
        user=user,
        bound_to=_session_of(actor),
        user_handle=own[0].user_handle if own else secrets.token_urlsafe(64),
    )
    return registration_options(user=user, challenge=challenge, known=own)


def register_passkey(*, actor: Caller, credential: Credential, name: str = "") -> Addition:
    """Keep the passkey that the browser has made; every other session of the account ends, this one has two factors.

    Raises `ReauthenticationRequired`, `Conflict` when it is registered already (to whomever), and
    `ValidationFailed` for an answer that is not one to options of this session.
    """
    require_recent_sign_in(actor)
    try:
        challenge = take_challenge(
            purpose=REGISTRATION, challenge=challenge_in(credential), bound_to=_session_of(actor), user_id=actor.own_id
        )
        key = verified_registration(credential=credential, challenge=challenge.challenge)
    except Refused:
        raise _not_acceptable() from None
    return _add(actor, key, user_handle=challenge.user_handle, name=name or device_name(context.current().user_agent))


@transaction.atomic
def rename_passkey(*, actor: Caller, passkey_id: UUID, name: str) -> Passkey:
    """Give one of the actor's passkeys another name; raises `NotFound` for any other."""
    passkey = _own(actor, passkey_id)
    before = passkey.name
    if name == before:
        return passkey
    passkey.name = name
    passkey.save(update_fields=["name"])
    publish(
        "passkey.renamed",
        subject=passkey,
        actor=actor,
        data={"before": {"name": before}, "after": {"name": name}},
        audience=[passkey.user_id],
    )
    return passkey


@transaction.atomic
def remove_passkey(*, actor: Caller, passkey_id: UUID) -> None:
    """Forget one of the actor's passkeys and end their other sessions.

    Raises `NotFound` for any other, and `Conflict` for the last way to sign in, or when the actor's role demands that
    a second factor is left.
    """
    require_recent_sign_in(actor)
    user = locked_owner(actor)
    passkey = _own(actor, passkey_id)
    Passkey.objects.filter(pk=passkey.pk).delete()
    keep_a_sign_in_method(user)
    settle_removal(user)
    announce_change(
        user,
        actor=actor,
        type="passkey.removed",
        change=f"A passkey was removed: {passkey.name}.",
        data={"before": {"name": passkey.name}},
        subject=passkey,
    )


@sign_in_method("passkey")
def _passkeys(user: User) -> int:
    return Passkey.objects.filter(user=user).count()


@transaction.atomic
def _add(actor: Caller, key: NewKey, *, user_handle: str, name: str) -> Addition:
    user = locked_owner(actor)
    _refuse_too_many(Passkey.objects.filter(user=user).count())
    passkey = _insert(user, key, user_handle=user_handle, name=name)
    codes = [] if recovery_codes_left(user.pk) else issue_recovery_codes(user)
    strengthen_session(actor, (*AMR, "mfa"))
    announce_change(
        user,
        actor=actor,
        type="passkey.created",
        change=f"A passkey was added: {name}.",
        data={"after": {"name": name, "backup_eligible": key.backup_eligible}},
        subject=passkey,
    )
    return Addition(passkey, codes)


def _insert(user: User, key: NewKey, *, user_handle: str, name: str) -> Passkey:
    try:
        with transaction.atomic():
            return Passkey.objects.create(
                user=user,
                name=name,
                credential_id=key.credential_id,
                public_key=key.public_key,
                sign_count=key.sign_count,
                user_handle=user_handle,
                aaguid=key.aaguid,
                transports=key.transports,
                backup_eligible=key.backup_eligible,
                backed_up=key.backed_up,
            )
    except IntegrityError:
        raise Conflict("This passkey is registered already.") from None


def _own(actor: Caller, passkey_id: UUID) -> Passkey:
    passkey = Passkey.objects.select_for_update().filter(pk=passkey_id, user_id=actor.own_id).first()
    if passkey is None:
        raise NotFound
    return passkey


def _session_of(actor: Caller) -> str:
    if actor.session_id is None:
        raise SessionRevoked
    return str(actor.session_id)


def _refuse_too_many(number: int) -> None:
    if number >= MOST:
        raise Conflict(f"An account has {MOST} passkeys at most; remove one that you do not use any more.")


def _not_acceptable() -> ValidationFailed:
    """Return the one refusal for every answer that does not serve; which check failed would help nobody honest."""
    return ValidationFailed.of(
        "credential", "invalid_credential", "This passkey could not be added; begin again and use it on this site."
    )
