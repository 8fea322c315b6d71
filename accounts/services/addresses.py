"""Changing one's e-mail address: the new one confirms, the old one is told."""

from django.db import IntegrityError, transaction

from accounts.identity import forget_session
from accounts.models import Session, SingleUseToken, User
from accounts.models.users import normalised_email
from accounts.services.mails import origin, tell, tell_sparingly, tell_with_link
from accounts.services.registration import verify_email
from accounts.services.sessions import locked_owner, require_recent_sign_in
from accounts.services.single_use_tokens import (
    CHANGE_EMAIL,
    DATA_EXPORT,
    INVITATION,
    RESET_PASSWORD,
    VERIFY_EMAIL,
    find_token,
    redeem_token,
    void_tokens,
)
from core.errors import Conflict
from core.events import publish
from core.permissions import Caller


@transaction.atomic
def request_email_change(*, actor: Caller, email: str) -> None:
    """Mail a link to the new address; if it belongs to somebody, tell them instead, and answer the same.

    Raises `ReauthenticationRequired` when the sign-in is older than ten minutes.
    """
    require_recent_sign_in(actor)
    address = normalised_email(email)
    user = locked_owner(actor)
    owner = User.objects.filter(email=address).first()
    publish("user.email_change_requested", subject=user, actor=actor, audience=[user.pk])
    if owner is None:
        tell_with_link(user, "account.email_change", purpose=CHANGE_EMAIL, email=address)
    elif owner.pk != user.pk:
        tell_sparingly(owner, "account.email_taken")


def confirm_address(*, token: str) -> User:
    """Redeem either kind of link that confirms an address: a new account's, or a new address's."""
    found = find_token(secret=token, purposes=(VERIFY_EMAIL, CHANGE_EMAIL))
    return (verify_email if found.purpose == VERIFY_EMAIL else confirm_email_change)(token=token)


def confirm_email_change(*, token: str) -> User:
    """Make the address that the mailed secret went to the user's own.

    Raises `ValidationFailed` when the secret does not serve, `Conflict` when the address was taken meanwhile.
    """
    found = find_token(secret=token, purposes=(CHANGE_EMAIL,))
    try:
        return _move(found)
    except IntegrityError:
        raise Conflict("This address belongs to an account by now.") from None


@transaction.atomic
def _move(found: SingleUseToken) -> User:
    user = User.objects.locked().get(pk=found.user_id)
    redeem_token(found)
    old, user.email, user.email_verified = user.email, found.email, True
    user.version += 1
    user.save(update_fields=["email", "email_verified", "version"])
    # Links that went to the old address would let whoever reads it back in, or have the account's data.
    void_tokens(user, RESET_PASSWORD, VERIFY_EMAIL, INVITATION, DATA_EXPORT)
    publish(
        "user.email_changed",
        subject=user,
        actor=Caller.of(user),
        data={"before": {"email": old}, "after": {"email": user.email}},
        audience=[user.pk],
    )
    tell(user, "account.email_changed", address=old, new_email=user.email, **origin())
    for session_id in Session.objects.live().filter(user=user).values_list("pk", flat=True):
        forget_session(session_id)
    return user
