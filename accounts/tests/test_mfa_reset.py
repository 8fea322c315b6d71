"""Staff reset the two-factor sign-in of somebody who has lost everything it takes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import RecoveryCode, Role, Session, TotpDevice, User
from accounts.services.mfa_reset import reset_second_factors
from accounts.tests.answers import kinds_sent_to, sign_in, tables
from accounts.tests.factories import create_session, create_user
from accounts.tests.mfa import give_phone
from core.errors import ApplicationError, Conflict, NotFound, PermissionDenied, ReauthenticationRequired
from core.permissions import SYSTEM, Caller
from core.tests.spine import Events

BrowserOf = Callable[[User], Client]
USERS = "/admin/accounts/user/"


def recent(user: User) -> Caller:
    return Caller(
        user.pk, user.email, user.name, user.role_name, user.permission_set, authenticated_at=datetime.now(UTC)
    )


def reset(browser: Client, *users: User) -> str:
    body = {"action": "reset_two_factor", "_selected_action": [str(user.pk) for user in users]}
    return str(browser.post(USERS, body, follow=True).content.decode())


def test_a_user_whose_second_factors_are_reset_signs_in_by_password(
    owner: User, admin: User, browser_of: BrowserOf, anonymous: Client, events: Events
) -> None:
    give_phone(owner)
    session, browser = create_session(owner), browser_of(admin)

    page = reset(browser, owner)

    assert "Two-factor sign-in of 1 users reset." in page
    assert not TotpDevice.objects.exists()
    assert not RecoveryCode.objects.exists()
    session.refresh_from_db()
    assert session.revoke_reason == "mfa_changed"
    assert [(event.actor, event.subject_id) for event in events("mfa.reset")] == [(admin.pk, str(owner.pk))]
    assert kinds_sent_to(owner.email) == ["account.mfa_changed"]
    assert "access_token" in sign_in(anonymous, owner.email).json()["data"]


def test_who_lacks_it_is_told_by_name(owner: User, admin: User, browser_of: BrowserOf) -> None:
    page = reset(browser_of(admin), owner)

    assert f"{owner.email}: This account has no two-factor sign-in." in page
    assert "Two-factor sign-in of 0 users reset." in page


def test_it_needs_a_recent_sign_in(owner: User, admin: User, browser_of: BrowserOf) -> None:
    give_phone(owner)
    browser = browser_of(admin)
    Session.objects.update(authenticated_at=datetime.now(UTC) - timedelta(minutes=11))

    assert "Confirm that it is you: sign in again." in reset(browser, owner)
    assert TotpDevice.objects.count() == 1


@pytest.mark.parametrize(
    ("actor_role", "target_role"), [("user", "user"), ("moderator", "admin"), ("editor", "moderator")]
)
def test_nobody_resets_without_the_permission_or_above_themself(db: None, actor_role: str, target_role: str) -> None:
    Role.objects.create(name="editor", permissions=["read:user", "write:user"])
    actor, target = create_user(actor_role), create_user(target_role)
    give_phone(target)
    before = tables()

    with pytest.raises(PermissionDenied):
        reset_second_factors(actor=recent(actor), user_id=target.pk)

    assert tables() == before
    assert TotpDevice.objects.count() == 1


def test_one_s_own_are_not_reset(admin: User) -> None:
    give_phone(admin)

    with pytest.raises(PermissionDenied):
        reset_second_factors(actor=recent(admin), user_id=admin.pk)
    assert TotpDevice.objects.count() == 1


@pytest.mark.parametrize("kind", ["stale", "unknown", "without"])
def test_what_cannot_be_reset_is_refused(owner: User, admin: User, kind: str) -> None:
    stale = Caller.of(admin)
    calls: dict[str, tuple[Caller, Any, type[ApplicationError]]] = {
        "stale": (stale, owner.pk, ReauthenticationRequired),
        "unknown": (SYSTEM, create_session(admin).pk, NotFound),
        "without": (SYSTEM, owner.pk, Conflict),
    }
    actor, user_id, error = calls[kind]

    with pytest.raises(error):
        reset_second_factors(actor=actor, user_id=user_id)


def test_the_list_filters_by_it(owner: User, stranger: User, admin: User, browser_of: BrowserOf, settings: Any) -> None:
    give_phone(owner)
    browser = browser_of(admin)

    def listed(value: str) -> set[str]:
        page = browser.get(f"{USERS}?two_factor={value}").content.decode()
        return {user.email for user in (owner, stranger) if user.email in page}

    Role.objects.filter(name="user").update(require_mfa=True)
    assert (listed("on"), listed("off"), listed("missing")) == ({owner.email}, {stranger.email}, {stranger.email})


def test_the_operator_resets_it_from_a_shell(owner: User, stranger: User, events: Events) -> None:
    give_phone(owner)
    told = StringIO()

    call_command("reset_two_factor", owner.email, "--dry-run", stdout=told)
    assert TotpDevice.objects.count() == 1
    call_command("reset_two_factor", owner.email, stranger.email, "--no-input", stdout=told)

    assert told.getvalue().endswith("1 reset, 1 unchanged, 0 failed.\n")
    assert not TotpDevice.objects.exists()
    assert len(events("mfa.reset")) == 1
