"""Secrets that travel by mail: issued for one purpose, redeemed once, voided by the next of their kind."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from accounts.models import SingleUseToken, User
from accounts.tokens import MAIL_PREFIX, digest
from core.crypto import is_well_formed_token, random_token
from core.errors import ValidationFailed

VERIFY_EMAIL: Final = "verify_email"
RESET_PASSWORD: Final = "reset_password"  # noqa: S105  # the name of a purpose
CHANGE_EMAIL: Final = "change_email"
INVITATION: Final = "invitation"
DATA_EXPORT: Final = "data_export"
RESTORE_ACCOUNT: Final = "restore_account"

LIFETIMES: Final = {
    VERIFY_EMAIL: timedelta(hours=24),
    RESET_PASSWORD: timedelta(hours=1),
    CHANGE_EMAIL: timedelta(hours=24),
    INVITATION: timedelta(days=7),
    DATA_EXPORT: timedelta(days=7),
}
_PAGES: Final = {
    VERIFY_EMAIL: "/verify-email",
    RESET_PASSWORD: "/reset-password",
    CHANGE_EMAIL: "/change-email",
    INVITATION: "/accept-invitation",
    DATA_EXPORT: "/data-export",
    RESTORE_ACCOUNT: "/restore-account",
}


def invalid_token() -> ValidationFailed:
    """Return the one refusal for every token that does not serve: unknown, used, voided, too old."""
    return ValidationFailed.of("token", "invalid_token", "This link is not valid any more; ask for a new one.")


@transaction.atomic
def issue_token(*, user: User, purpose: str, email: str = "", lifetime: timedelta | None = None) -> str:
    """Return a new secret of this purpose; the user's older ones are void from here on.

    The caller holds the lock on the user's row, so two requests cannot issue at once.
    """
    secret = random_token(MAIL_PREFIX)
    SingleUseToken.objects.filter(user=user, purpose=purpose, used_at=None).delete()
    SingleUseToken.objects.create(
        user=user,
        purpose=purpose,
        token=digest(secret),
        email=email,
        expires_at=datetime.now(UTC) + (lifetime or LIFETIMES[purpose]),
    )
    return secret


def link_to(purpose: str, secret: str) -> str:
    """Return the address that the mail carries."""
    return f"{settings.PUBLIC_URL}{_PAGES[purpose]}?token={secret}"


def find_token(*, secret: str, purposes: tuple[str, ...], of_deleted: bool = False) -> SingleUseToken:
    """Return the open token that the secret stands for, without using it up; ValidationFailed if there is none.

    It is of a user who is not deleted, or of one who is: a link serves in one of the two states.
    """
    if not is_well_formed_token(secret, MAIL_PREFIX):
        raise invalid_token()
    token = (
        SingleUseToken.objects.select_related("user__role")
        .filter(token=digest(secret), purpose__in=purposes, used_at=None, expires_at__gt=Now())
        .filter(user__deleted_at__isnull=not of_deleted)
        .first()
    )
    if token is None:
        raise invalid_token()
    return token


def redeem_token(token: SingleUseToken) -> None:
    """Use the token up, or raise ValidationFailed when another request was faster."""
    open_tokens = SingleUseToken.objects.filter(pk=token.pk, used_at=None, expires_at__gt=Now())
    if open_tokens.update(used_at=Now()) != 1:
        raise invalid_token()


def void_tokens(user: User, *purposes: str) -> None:
    """Make the user's open links of these purposes stop serving."""
    SingleUseToken.objects.filter(user=user, purpose__in=purposes, used_at=None).delete()


def purge_single_use_tokens() -> int:
    """Delete the tokens that ended more than a day ago; return how many."""
    return SingleUseToken.objects.filter(expires_at__lt=datetime.now(UTC) - timedelta(days=1)).delete()[0]
