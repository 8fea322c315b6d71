"""Leaving: deleting one's own account, and taking that back by the mailed link within the time of grace."""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import SingleUseToken, User
from accounts.services.account_bin import bring_back, put_into_bin
from accounts.services.administration import keeping_an_admin
from accounts.services.mails import tell, words
from accounts.services.sessions import locked_owner, require_recent_sign_in
from accounts.services.single_use_tokens import (
    RESTORE_ACCOUNT,
    find_token,
    invalid_token,
    issue_token,
    link_to,
    redeem_token,
)
from accounts.services.users import CheckVersion, any_version
from core.errors import Conflict
from core.permissions import Caller


@transaction.atomic
def delete_own_account(*, actor: Caller, check_version: CheckVersion = any_version) -> None:
    """Put the caller's account into the bin and mail them the way back.

    Raises `ReauthenticationRequired` when the sign-in is older than ten minutes, `PreconditionFailed`, `Conflict` for
    the last administrator, and `SessionRevoked` when the account has gone already.
    """
    require_recent_sign_in(actor)
    grace = timedelta(days=settings.ACCOUNT_GRACE_DAYS)
    with keeping_an_admin():
        user = locked_owner(actor)
        check_version(user.version)
        # Whatever was mailed before: this link is the only way back, so no limit holds it up.
        secret = issue_token(user=user, purpose=RESTORE_ACCOUNT, email=user.email, lifetime=grace)
        tell(user, "account.deletion_requested", link=link_to(RESTORE_ACCOUNT, secret), valid_for=words(grace))
        put_into_bin(user, actor=actor)


def restore_own_account(*, token: str) -> User:
    """Take a deletion back for whoever has its link; they sign in as before.

    Raises `ValidationFailed` when the secret does not serve, `Conflict` when the address has a new account.
    """
    found = find_token(secret=token, purposes=(RESTORE_ACCOUNT,), of_deleted=True)
    try:
        return _restore(found)
    except IntegrityError:
        raise Conflict("This address belongs to a new account by now.") from None


@transaction.atomic
def _restore(found: SingleUseToken) -> User:
    user = User.all_objects.locked().get(pk=found.user_id)
    if user.deleted_at is None or user.erase_at is None or user.erase_at <= datetime.now(UTC):
        raise invalid_token()
    redeem_token(found)
    _evict_who_never_confirmed(user.email)
    bring_back(user, actor=Caller.of(user))
    return user


def _evict_who_never_confirmed(address: str) -> None:
    """Delete an account of this address that nobody could sign in to: its maker never read the mail, ours just did."""
    unconfirmed = User.objects.locked().filter(email=address, email_verified=False, last_login_at=None)
    for squatter in unconfirmed if settings.EMAIL_VERIFICATION_REQUIRED else ():
        put_into_bin(squatter, actor=Caller.of(squatter))
