"""Setting up an authenticator app, and taking it away; the recovery codes that come with it.

All of it needs a recent sign-in. Setting up another app while one is confirmed replaces that one, so a new phone
never means a time without a second factor.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import transaction

from accounts.models import TotpDevice, User
from accounts.services import second_factors
from accounts.services.mfa_changes import announce_change, settle_removal, strengthen_session
from accounts.services.recovery_codes import issue_recovery_codes, recovery_codes_left
from accounts.services.sessions import locked_owner, require_recent_sign_in
from accounts.services.totp import Totp, new_secret, otpauth_uri, spend_code
from core.errors import Conflict, InvalidCredentials, NotFound
from core.permissions import Caller

PENDING: Final = timedelta(hours=1)
"""How long a secret waits for its first code."""


@dataclass(frozen=True, slots=True)
class AppSetup:
    """What goes into an authenticator app."""

    secret: str
    otpauth_uri: str


def describe_second_factors(*, actor: Caller) -> dict[str, Any]:
    """Return what the actor has: `enabled, required, methods, totp, recovery_codes_left, passkeys`."""
    user = User.objects.select_related("role").get(pk=actor.own_id)
    passkeys = second_factors.METHODS.get("passkey")
    return {
        "enabled": user.mfa_enabled,
        "required": user.role.demands_mfa,
        "methods": second_factors.methods_of(user),
        "totp": second_factors.METHODS[Totp.name].is_set_up(user),
        "recovery_codes_left": recovery_codes_left(user.pk),
        "passkeys": passkeys.listed(user) if passkeys is not None else [],
    }


@transaction.atomic
def begin_app(*, actor: Caller) -> AppSetup:
    """Return a new secret that waits for its first code; one begun before is void."""
    require_recent_sign_in(actor)
    user = locked_owner(actor)
    TotpDevice.objects.filter(user=user, confirmed_at=None).delete()
    device = TotpDevice.objects.create(user=user, secret=new_secret())
    return _setup(device, user)


def waiting_app(*, actor: Caller) -> AppSetup | None:
    """Return what the actor has begun and not confirmed yet, within the hour that it waits."""
    user = User.objects.get(pk=actor.own_id)
    device = _pending(user)
    return None if device is None else _setup(device, user)


@transaction.atomic
def confirm_app(*, actor: Caller, code: str) -> list[str]:
    """Turn two-factor sign-in on by the app's first code; return ten new recovery codes, shown this once.

    The actor's session has two factors from now on, every other one ends. Raises `Conflict` when nothing waits to
    be confirmed and `InvalidCredentials` for a wrong code.
    """
    require_recent_sign_in(actor)
    user = locked_owner(actor)
    device = _pending(user)
    if device is None:
        raise Conflict("No authenticator app waits to be confirmed; begin with a new secret.")
    if not spend_code(device, code):
        raise InvalidCredentials
    replaced = TotpDevice.objects.filter(user=user, confirmed_at__isnull=False).delete()[0]
    TotpDevice.objects.filter(pk=device.pk).update(confirmed_at=datetime.now(UTC))
    codes = issue_recovery_codes(user)
    strengthen_session(actor, (*Totp.amr, "mfa"))
    change = "Your authenticator app was replaced." if replaced else "An authenticator app was added."
    announce_change(user, actor=actor, type="mfa.totp_added", change=change, data={"replaced": bool(replaced)})
    return codes


@transaction.atomic
def remove_app(*, actor: Caller) -> None:
    """Take the authenticator app away; raises `NotFound`, or `Conflict` when the role demands that one is left."""
    require_recent_sign_in(actor)
    user = locked_owner(actor)
    if not second_factors.METHODS[Totp.name].is_set_up(user):
        raise NotFound
    second_factors.METHODS[Totp.name].remove(user)
    settle_removal(user)
    announce_change(user, actor=actor, type="mfa.totp_removed", change="Your authenticator app was removed.")


@transaction.atomic
def renew_recovery_codes(*, actor: Caller) -> list[str]:
    """Return ten new recovery codes, shown this once; the older ones are void.

    Raises `Conflict` for an account without two-factor sign-in.
    """
    require_recent_sign_in(actor)
    user = locked_owner(actor)
    if not user.mfa_enabled:
        raise Conflict("Recovery codes stand beside an authenticator app or a passkey; set one up first.")
    codes = issue_recovery_codes(user)
    announce_change(user, actor=actor, type="mfa.recovery_codes_renewed", change="New recovery codes were made.")
    return codes


def purge_waiting_apps() -> int:
    """Delete the secrets whose first code never came; return how many."""
    return TotpDevice.objects.filter(confirmed_at=None, created_at__lt=datetime.now(UTC) - PENDING).delete()[0]


def _pending(user: User) -> TotpDevice | None:
    since = datetime.now(UTC) - PENDING
    return TotpDevice.objects.filter(user=user, confirmed_at=None, created_at__gt=since).first()


def _setup(device: TotpDevice, user: User) -> AppSetup:
    return AppSetup(device.secret, otpauth_uri(device.secret, user.email))
