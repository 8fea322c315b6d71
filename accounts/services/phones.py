"""One's telephone number: set, proved by a code in a text message, taken away.

Several people may have the same number: a verified one says that its text messages were read, and nothing more. Nobody
signs in by it.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import PhoneCode, User
from accounts.models.phone_codes import TRIES
from accounts.phones import UnusablePhone, masked_phone, normalised_phone
from accounts.services.mails import origin, tell
from accounts.services.sessions import locked_owner, require_recent_sign_in
from core.errors import Conflict, InvalidCredentials, RateLimited, ServiceUnavailable, ValidationFailed
from core.events import publish
from core.permissions import Caller
from core.ratelimit import take
from notifications.channels import sms
from notifications.models import Message
from notifications.services import send

LIFETIME: Final = timedelta(minutes=10)
PER_DAY: Final = 10
"""How many codes a person, and a number, gets in 24 hours."""

_TRY_AGAIN: Final = timedelta(hours=1)


@transaction.atomic
def change_phone(*, actor: Caller, phone: str | None) -> User:
    """Set the actor's number and text a code to it, or take it away with None; the same number changes nothing.

    Raises `ReauthenticationRequired`, `ValidationFailed` (`invalid_phone`, `not_a_mobile`, `country_not_served`,
    `sms_not_configured`), `RateLimited`, and `ServiceUnavailable` when everybody's texts of the day are used up.
    """
    user = locked_owner(actor)
    number = None if phone is None else _usable(phone, unless=user.phone)
    if number == user.phone:
        return user
    require_recent_sign_in(actor)
    change = {"before": {"phone": user.phone is not None}, "after": {"phone": number is not None}}
    PhoneCode.objects.filter(user=user).delete()
    _write(user, phone=number, is_verified=False)
    # Without the number: what is in the log stays there.
    publish("user.phone_changed", subject=user, actor=actor, data=change, audience=[user.pk])
    tell(user, "account.phone_changed", phone=masked_phone(number) if number else "", **origin())
    if number is not None:
        _send_code(user, number)
    return user


@transaction.atomic
def resend_code(*, actor: Caller) -> None:
    """Text a new code, which voids the one before; raises `Conflict` when there is no number to prove, and as above."""
    user = User.objects.locked().get(pk=actor.own_id)
    if user.phone is None or user.phone_verified:
        raise Conflict("There is no telephone number that waits for a code.")
    _usable(user.phone)
    _send_code(user, user.phone)


def confirm_phone(*, actor: Caller, code: str) -> User:
    """Mark the number as verified by the code that was sent to it; raises `InvalidCredentials` for any other."""
    user = _confirm(actor, code)
    if user is None:
        raise InvalidCredentials
    return user


def purge_phone_codes() -> int:
    """Delete the codes that serve no longer; return how many."""
    return PhoneCode.objects.filter(expires_at__lt=Now()).delete()[0]


@transaction.atomic
def _confirm(actor: Caller, code: str) -> User | None:
    """Spend a try, and the code if it is right; the lock on the user lets one request in at a time."""
    user = User.objects.locked().get(pk=actor.own_id)
    sent = PhoneCode.objects.filter(user=user, tries_left__gt=0, expires_at__gt=Now()).first()
    if sent is None or user.phone is None:
        return None
    if not constant_time_compare(sent.digest, _digest(user.pk, user.phone, code)):
        sent.tries_left -= 1
        sent.save(update_fields=["tries_left"])
        return None
    sent.delete()
    _write(user, phone=user.phone, is_verified=True)
    publish("user.phone_verified", subject=user, actor=actor, audience=[user.pk])
    return user


def _usable(phone: str, *, unless: str | None = None) -> str:
    """Return the number as it is stored, if a code can be sent to it, or if it is the one that is stored already."""
    try:
        number = normalised_phone(phone)
    except UnusablePhone as fault:
        if phone == unless:
            return phone
        raise ValidationFailed.of("phone", fault.code, str(fault)) from None
    if number != unless and not sms.is_configured():
        raise ValidationFailed.of("phone", "sms_not_configured", "This server sends no text messages.")
    return number


def _write(user: User, *, phone: str | None, is_verified: bool) -> None:
    user.phone, user.phone_verified = phone, is_verified
    user.version += 1
    user.save(update_fields=["phone", "phone_verified", "version"])
    user.refresh_from_db(fields=["updated_at"])


def _send_code(user: User, number: str) -> None:
    _refuse_too_many(user, number)
    code = f"{secrets.randbelow(1_000_000):06d}"
    expires_at = datetime.now(UTC) + LIFETIME
    PhoneCode.objects.update_or_create(
        user=user, defaults={"digest": _digest(user.pk, number, code), "tries_left": TRIES, "expires_at": expires_at}
    )
    send(
        "account.phone_code",
        to=user.pk,
        address=number,
        name=user.name,
        locale=user.locale,
        context={"code": code, "valid_for": "10 minutes"},
        expires_at=expires_at,
    )


def _refuse_too_many(user: User, number: str) -> None:
    """Raise when the person, the number or the installation has had its share: each text message costs money."""
    texts = Message.objects.texts_of_the_last_day()
    if max(texts.filter(recipient_id=user.pk).count(), texts.filter(address=number).count()) >= PER_DAY:
        raise RateLimited(retry_after=_TRY_AGAIN.total_seconds())
    if texts.count() >= settings.SMS_DAILY_LIMIT:
        raise ServiceUnavailable
    for identity in (str(user.pk), salted_hmac("accounts.phones", number).hexdigest()):
        verdict = take("sms", identity)
        if not verdict.allowed:
            raise RateLimited(retry_after=verdict.retry_after)


def _digest(user_id: UUID, number: str, code: str) -> str:
    return salted_hmac("accounts.phone_code", f"{user_id}|{number}|{code}", algorithm="sha256").hexdigest()
