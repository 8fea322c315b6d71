"""What becomes of wrong passwords beside being counted: the owner of an account hears of many."""

from django.db import transaction

from accounts.models import User
from accounts.services.throttle import FREE_FAILURES
from core import context
from core.events import publish
from core.permissions import Caller


@transaction.atomic
def report_blocked_sign_in(*, email: str, ip: str | None, user_agent: str) -> None:
    """Publish that further sign-ins to the account with this address have to wait, if there is such an account.

    `ip` and `user_agent` are those of the try that was one too many.
    """
    user = User.objects.filter(email=email).first()
    if user is None:
        return
    with context.annotated(ip=ip, user_agent=user_agent):
        publish(
            "user.sign_in_blocked",
            subject=user,
            actor=Caller(None),
            data={"failures": FREE_FAILURES},
            audience=[user.pk],
        )
