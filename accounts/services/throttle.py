"""Failed sign-ins, counted per account: after five within a quarter of an hour each further try waits.

Unknown addresses are counted like known ones. A device that its user has signed in from before is counted
by itself, and so is a session that asks for the password again: a stranger's failures do not lock the owner out.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.crypto import salted_hmac

from accounts.models import KnownDevice, Session, SignInThrottle, User
from accounts.tokens import digest
from core import context
from core.errors import RateLimited
from core.queue import enqueue

FREE_FAILURES: Final = 5
WINDOW: Final = timedelta(minutes=15)
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=15)


def throttle_key(*, email: str, device_token: str = "") -> str:
    """Return what the failures of this try are counted under."""
    if device_token and KnownDevice.objects.filter(user__email=email, token=digest(device_token)).exists():
        return _key(f"{email}|{digest(device_token)}")
    return _key(email)


def session_key(session_id: UUID) -> str:
    """Return what the failures of a session that is asked for its password again are counted under."""
    return _key(f"session|{session_id}")


def second_factor_key(user_id: UUID, *, device_token: str = "") -> str:
    """Return what wrong codes of the user are counted under: apart from the passwords, so that no password resets it.

    Who has the password from elsewhere cannot lock the owner's known device out of the second step.
    """
    if device_token and KnownDevice.objects.filter(user_id=user_id, token=digest(device_token)).exists():
        return _key(f"mfa|{user_id}|{digest(device_token)}")
    return _key(f"mfa|{user_id}")


def guard_key(guarded: UUID, *, identity: str = "") -> str:
    """Return what wrong passwords of something that is no account are counted under: from one place, or from all."""
    return _key(f"guard|{guarded}|{identity}")


def refuse_if_blocked(key: str) -> None:
    """Raise `RateLimited` while the next try has to wait."""
    throttle = SignInThrottle.objects.filter(key=key).first()
    if throttle is not None:
        _refuse_while_blocked(throttle)


@transaction.atomic
def record_failure(key: str, *, email: str = "", free: int = FREE_FAILURES) -> None:
    """Count one failure; from the fifth (or `free`th) on, make the next try wait, twice as long each time.

    At the fifth a worker hears of it with the `email` that was tried, whether or not there is such an account: what
    the owner is told then shows in no answer's time.
    """
    now = datetime.now(UTC)
    SignInThrottle.objects.get_or_create(key=key, defaults={"failed_at": now})
    throttle = SignInThrottle.objects.select_for_update().get(key=key)
    throttle.failures = 1 if _is_over(throttle, now) else throttle.failures + 1
    throttle.failed_at = now
    throttle.blocked_until = now + _wait(throttle.failures - free) if throttle.failures >= free else None
    throttle.save(update_fields=["failures", "failed_at", "blocked_until"])
    if email and throttle.failures == FREE_FAILURES:
        work = context.current()
        enqueue("accounts.tasks.report_blocked_sign_in", email=email, ip=work.ip, user_agent=work.user_agent[:500])


def accept_success(key: str) -> None:
    """Begin at nought again after the right password.

    Raises `RateLimited` all the same when failures of tries that ran beside this one have used up the free ones.
    """
    throttle = SignInThrottle.objects.filter(key=key).first()
    if throttle is not None:
        _refuse_while_blocked(throttle)
        throttle.delete()


def forget_failures(email: str) -> int:
    """Delete the count of failures that is kept for this address; return how many rows that were."""
    return SignInThrottle.objects.filter(key=_key(email)).delete()[0]


def forget_all_failures(user: User) -> int:
    """Delete every count that makes the user wait: by address, known device and session, passwords and codes."""
    devices = list(KnownDevice.objects.filter(user=user).values_list("token", flat=True))
    names = [user.email, f"mfa|{user.pk}"]
    names += [f"{user.email}|{device}" for device in devices] + [f"mfa|{user.pk}|{device}" for device in devices]
    names += [
        f"session|{session_id}" for session_id in Session.objects.live().filter(user=user).values_list("pk", flat=True)
    ]
    return SignInThrottle.objects.filter(key__in=[_key(name) for name in names]).delete()[0]


def purge_throttles() -> int:
    """Delete the counts that no longer count; return how many."""
    old = datetime.now(UTC) - WINDOW - LONGEST_WAIT
    return SignInThrottle.objects.filter(failed_at__lt=old).delete()[0]


def _refuse_while_blocked(throttle: SignInThrottle) -> None:
    now = datetime.now(UTC)
    if throttle.blocked_until is not None and throttle.blocked_until > now:
        raise RateLimited(retry_after=(throttle.blocked_until - now).total_seconds())


def _is_over(throttle: SignInThrottle, now: datetime) -> bool:
    """Return whether the failures so far are too old to count."""
    return now - max(throttle.failed_at, throttle.blocked_until or throttle.failed_at) > WINDOW


def _wait(failures_too_many: int) -> timedelta:
    doublings: int = min(failures_too_many, 10)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def _key(text: str) -> str:
    return salted_hmac("accounts.throttle", text, algorithm="sha256").hexdigest()
