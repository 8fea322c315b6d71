"""Passwords: forgotten, set anew through a mailed link, changed."""

from django.db import transaction
from django.db.models import F

from accounts.hashing import make_password
from accounts.models import SingleUseToken, User
from accounts.models.users import normalised_email
from accounts.passwords import refuse_weak_password
from accounts.services.api_tokens import end_api_tokens
from accounts.services.mails import origin, tell, tell_with_link
from accounts.services.registration import mark_verified
from accounts.services.sessions import confirm_password, end_sessions
from accounts.services.single_use_tokens import (
    CHANGE_EMAIL,
    DATA_EXPORT,
    INVITATION,
    RESET_PASSWORD,
    find_token,
    redeem_token,
    void_tokens,
)
from accounts.services.unproven import forget_unproven
from core.errors import InvalidCredentials
from core.events import publish
from core.permissions import Caller
from core.queue import enqueue


def request_password_reset(*, email: str) -> None:
    """Promise a link to set a new password; a worker finds out if there is an account: the time tells nothing."""
    enqueue("accounts.tasks.send_password_reset", email=normalised_email(email))


@transaction.atomic
def send_password_reset(*, email: str) -> None:
    """Mail a link to the enabled account with this address, if there is one; older links are void."""
    user = User.objects.locked().filter(email=email, is_active=True).first()
    if user is None:
        return
    publish("user.password_reset_requested", subject=user, actor=Caller(None), audience=[user.pk])
    tell_with_link(user, "account.password_reset", purpose=RESET_PASSWORD)


def reset_password(*, token: str, password: str) -> None:
    """Set a new password by a mailed secret (a reset's or an invitation's); end every session and API token.

    Raises `ValidationFailed` for a secret that does not serve or a weak password (which leaves the secret unused).
    """
    found = find_token(secret=token, purposes=(RESET_PASSWORD, INVITATION))
    refuse_weak_password(password, field="password", email=found.user.email, name=found.user.name)
    _set_by_link(found, make_password(password))


def change_password(*, actor: Caller, current_password: str, new_password: str) -> None:
    """Set a new password and end every other session; raises `InvalidCredentials` for a wrong current one."""
    refuse_weak_password(new_password, field="new_password", email=actor.email, name=actor.name)
    user = confirm_password(actor=actor, password=current_password)
    _replace(user, make_password(new_password), actor)


@transaction.atomic
def _set_by_link(found: SingleUseToken, password_hash: str) -> None:
    user = User.objects.locked().get(pk=found.user_id)
    redeem_token(found)
    if not user.email_verified:
        # The link came to the address, which is all that a confirmation would have shown.
        mark_verified(user, actor=Caller.of(user))
        forget_unproven(user)
    _store(user, password_hash, actor=Caller.of(user), how="reset" if found.purpose == RESET_PASSWORD else "invitation")
    end_sessions(user_id=user.pk, actor=Caller.of(user), reason="password_reset")
    end_api_tokens(user_id=user.pk, actor=Caller.of(user), reason="password_reset")


@transaction.atomic
def _replace(user: User, password_hash: str, actor: Caller) -> None:
    locked = User.objects.locked().get(pk=user.pk)
    if locked.password != user.password:
        raise InvalidCredentials
    _store(locked, password_hash, actor=actor, how="change")
    end_sessions(user_id=user.pk, actor=actor, reason="password_changed", keep=actor.session_id)


def _store(user: User, password_hash: str, *, actor: Caller, how: str) -> None:
    """Write the hash; links on their way to set a password, move the account or fetch its data stop serving.

    Whoever asked to move it may be the very person that the new password shuts out.
    """
    User.objects.filter(pk=user.pk).update(password=password_hash, version=F("version") + 1)
    void_tokens(user, RESET_PASSWORD, CHANGE_EMAIL, INVITATION, DATA_EXPORT)
    publish("user.password_changed", subject=user, actor=actor, data={"how": how}, audience=[user.pk])
    if how != "invitation":
        tell(user, "account.password_changed", **origin())
