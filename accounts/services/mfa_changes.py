"""What every change of somebody's second factors brings with it, whichever method it is about."""

from typing import Any

from django.db.models import Model

from accounts.identity import forget_session
from accounts.models import Session, User
from accounts.services.mails import origin, tell
from accounts.services.recovery_codes import RecoveryCodes
from accounts.services.second_factors import METHODS, with_proof
from accounts.services.sessions import end_sessions
from core.errors import Conflict
from core.events import publish
from core.permissions import Caller


def announce_change(
    user: User,
    *,
    actor: Caller,
    type: str,
    change: str,
    data: dict[str, Any] | None = None,
    subject: Model | None = None,
) -> None:
    """Log the change, end every session but the actor's, and tell the owner by mail, in the transaction at hand.

    `change` is a sentence for the owner: "An authenticator app was added."; `subject` what the event is about, where
    that is not the user.
    """
    publish(type, subject=subject or user, actor=actor, data=data, audience=[user.pk])
    end_sessions(user_id=user.pk, actor=actor, reason="mfa_changed", keep=actor.session_id)
    if actor.session_id is not None:
        forget_session(actor.session_id)
    tell(user, "account.mfa_changed", change=change, **origin())


def strengthen_session(actor: Caller, proved: tuple[str, ...]) -> None:
    """Note that the actor has `proved` a second factor just now, in the session they speak from."""
    if actor.session_id is None:
        return
    session = Session.objects.select_for_update().filter(pk=actor.session_id).first()
    if session is not None:
        session.amr = with_proof(session.amr, proved)
        session.save(update_fields=["amr"])


def settle_removal(user: User) -> None:
    """Finish the removal of one of the locked user's methods: recovery codes do not stand alone.

    Raises `Conflict` when that was the last one and the user's role demands two-factor sign-in; the caller's
    transaction then takes it back.
    """
    user.refresh_from_db(fields=["mfa_enabled", "version"])
    if user.mfa_enabled:
        return
    if user.role.demands_mfa:
        raise Conflict("Your role demands two-factor sign-in: set up another method first, or replace this one.")
    METHODS[RecoveryCodes.name].remove(user)
