"""Invitations: staff make an account, its owner sets the password by a mailed link, which also proves the address."""

from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import User
from accounts.services.administration import refuse_more_than_held
from accounts.services.mails import send_link
from accounts.services.single_use_tokens import INVITATION
from core.errors import Conflict, NotFound, PermissionDenied
from core.events import publish
from core.permissions import Caller


def invite(user: User, *, actor: Caller) -> None:
    """Mail the user, in the transaction at hand, a link that serves once, for 7 days; older ones are void."""
    inviter = actor.name if actor.is_authenticated else settings.SITE_NAME
    send_link(user, "account.invitation", purpose=INVITATION, inviter=inviter)
    publish("user.invited", subject=user, actor=actor, audience=[user.pk])


@transaction.atomic
def resend_invitation(*, actor: Caller, user_id: UUID) -> None:
    """Invite once more somebody who has not taken up the first invitation.

    Raises `PermissionDenied`, `NotFound`, and `Conflict` when there is nothing left to invite to.
    """
    if not actor.holds("write:user"):
        raise PermissionDenied
    user = User.objects.locked().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    refuse_more_than_held(actor, user.permission_set)
    if not user.is_active:
        raise Conflict("This account is disabled.")
    if user.has_usable_password() or user.last_login_at is not None:
        raise Conflict("This account is set up already; its owner can ask for a new password.")
    invite(user, actor=actor)
