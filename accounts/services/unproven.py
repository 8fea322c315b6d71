"""What was set up on an account before its address was confirmed: it may be another's than the address's owner's."""

from accounts.models import Connection, User
from accounts.services import second_factors
from accounts.services.mfa_changes import announce_change
from core.events import publish
from core.permissions import Caller


def forget_unproven(user: User) -> None:
    """Remove every way in to the locked user's account that no new password shuts: connections and second factors.

    Whoever made the account with somebody else's address would else come back in once its owner has taken it over.
    """
    actor = Caller.of(user)
    for connection in Connection.objects.filter(user=user).order_by("pk"):
        data = {"reason": "unproven", "provider": connection.provider}
        publish("connection.removed", subject=connection, actor=actor, data=data, audience=[user.pk])
        connection.delete()
    if user.mfa_enabled:
        second_factors.remove_all(user)
        change = "Two-factor sign-in was set up before this address was confirmed, so it was removed."
        announce_change(user, actor=actor, type="mfa.reset", change=change)
