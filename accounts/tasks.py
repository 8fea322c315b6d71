"""Background work of accounts."""

from typing import Any

from accounts.services import (
    access_review,
    api_tokens,
    authenticator_apps,
    avatars,
    erasing,
    impersonation_ends,
    mfa_challenges,
    passkey_challenges,
    passwords,
    phones,
    refreshing,
    registration,
    sessions,
    sign_in_failures,
    single_use_tokens,
    social,
    threats,
    throttle,
)
from core.queue import task


@task(queue="critical")
def answer_registration(*, email: str, proven: str, is_new: bool, **_: Any) -> None:
    """Mail whoever registered, or the owner of an address that was taken."""
    registration.answer_registration(email=email, proven=proven, is_new=is_new)


@task(queue="critical")
def send_verification(*, email: str, **_: Any) -> None:
    """Mail a new confirmation link, if an account waits for one."""
    registration.send_verification(email=email)


@task(queue="critical")
def send_password_reset(*, email: str, **_: Any) -> None:
    """Mail a link to set a new password, if there is such an account."""
    passwords.send_password_reset(email=email)


@task(queue="default")
def remove_pictures(*, key: str, **_: Any) -> None:
    """Delete the pictures of an avatar that was replaced or taken back."""
    avatars.remove_pictures(key=key)


@task(queue="maintenance")
def sweep_avatars(**_: Any) -> None:
    """Delete the pictures that an interrupted upload, or the end of an account, left behind."""
    avatars.sweep_avatars()


@task(queue="maintenance", max_attempts=3)
def erase_accounts(**_: Any) -> None:
    """Anonymise the accounts whose time of grace is over."""
    erasing.erase_due_accounts()


@task(queue="critical")
def report_blocked_sign_in(*, email: str, ip: str | None, user_agent: str, **_: Any) -> None:
    """Tell the log, and so the owner, that there were many wrong passwords, if there is such an account."""
    sign_in_failures.report_blocked_sign_in(email=email, ip=ip, user_agent=user_agent)


@task(queue="maintenance")
def look_for_masses(**_: Any) -> None:
    """Report whoever deletes or exports more than the rules allow."""
    threats.look_for_masses()


@task(queue="maintenance")
def purge(**_: Any) -> None:
    """Delete sessions, tokens, counts, devices and flows that ended long enough ago."""
    refreshing.purge_spent_tokens()
    sessions.purge_sessions()
    sessions.purge_devices()
    api_tokens.purge_api_tokens()
    single_use_tokens.purge_single_use_tokens()
    authenticator_apps.purge_waiting_apps()
    mfa_challenges.purge_challenges()
    passkey_challenges.purge_passkey_challenges()
    throttle.purge_throttles()
    threats.purge_threats()
    social.purge_flows()
    impersonation_ends.end_overdue_impersonations()
    impersonation_ends.purge_impersonations()
    phones.purge_phone_codes()
    access_review.purge_access_reviews()
