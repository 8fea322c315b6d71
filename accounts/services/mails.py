"""What accounts write to their owners, and how often at most."""

from datetime import timedelta

from django.utils.crypto import salted_hmac

from accounts.devices import device_name
from accounts.models import User
from accounts.services.single_use_tokens import LIFETIMES, issue_token, link_to
from core import context
from core.ratelimit import take
from notifications.kinds import kind_of
from notifications.models import IN_APP
from notifications.services import News, notify, send


def tell(user: User, kind: str, *, address: str = "", **variables: str) -> None:
    """Tell the user something of this kind, in the transaction at hand: in their inbox too, unless it holds a secret.

    With an `address` the mail goes there: to one that they had, or are to have.
    """
    is_in_inbox = IN_APP in kind_of(kind).channels
    if is_in_inbox:
        notify(News(kind, variables, only_in_app=bool(address)), to=[user.pk])
    if is_in_inbox and not address:
        return
    send(
        kind,
        to=user.pk,
        address=address or user.email,
        name=user.name,
        locale=user.locale,
        context=variables,
    )


def tell_sparingly(user: User, kind: str) -> None:
    """Send what strangers can cause, unless the address has had too many such messages lately."""
    if _may_be_written_to(user.email):
        tell(user, kind)


def tell_with_link(user: User, kind: str, *, purpose: str, email: str = "") -> None:
    """Send the locked user a link with a new secret, unless the address has had too many lately.

    Beyond the limit nothing is issued either, so the links already sent keep serving.
    """
    address = email or user.email
    if _may_be_written_to(address):
        send_link(user, kind, purpose=purpose, email=address)


def send_link(user: User, kind: str, *, purpose: str, email: str = "", **variables: str) -> None:
    """Send the locked user a link with a new secret, however many they had: strangers cannot cause this one."""
    address = email or user.email
    secret = issue_token(user=user, purpose=purpose, email=address)
    valid_for = words(LIFETIMES[purpose])
    tell(user, kind, address=address, link=link_to(purpose, secret), valid_for=valid_for, **variables)


def _may_be_written_to(address: str) -> bool:
    return take("mail", salted_hmac("accounts.mails", address).hexdigest()).allowed


def origin() -> dict[str, str]:
    """Return where the request at hand comes from, for a message that tells of it."""
    work = context.current()
    return {"ip": work.ip or "unknown", "device": device_name(work.user_agent)}


def words(duration: timedelta) -> str:
    """Return `24 hours`, `1 hour`, `7 days`."""
    hours = int(duration.total_seconds() // 3600)
    number, unit = (hours // 24, "day") if hours > 24 and hours % 24 == 0 else (hours, "hour")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
