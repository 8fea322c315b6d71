"""How an administrator's stay in somebody's place ends: by time, by either of them, by whatever made it possible."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.identity import forget_everyone
from accounts.models import Impersonation, Role, Session, User
from accounts.tests.answers import SESSION_REVOKED, bearer, error_of
from accounts.tests.factories import access_token_of, create_session, create_user
from accounts.tests.test_impersonation import STAYS, act_as, api_of, json
from core.tests.spine import Events

BrowserOf = Callable[[User], Client]


@pytest.fixture
def browser(admin: User, browser_of: BrowserOf) -> Client:
    """The browser of Ada, an administrator."""
    return browser_of(admin)


def logs_out(admin: User, owner: User, browser: Client) -> None:
    browser.post("/admin/logout/")


def signs_out_everywhere(admin: User, owner: User, browser: Client) -> None:
    own = create_session(admin)
    json(Client(headers=bearer(access_token_of(own))).post, "/auth/logout-all")


def is_demoted(admin: User, owner: User, browser: Client) -> None:
    _staff("patch", f"/users/{admin.pk}", {"role": "moderator"})


def is_disabled(admin: User, owner: User, browser: Client) -> None:
    _staff("patch", f"/users/{admin.pk}", {"is_active": False})


def is_deleted(admin: User, owner: User, browser: Client) -> None:
    _staff("delete", f"/users/{admin.pk}")


def user_becomes_administrator(admin: User, owner: User, browser: Client) -> None:
    _staff("patch", f"/users/{owner.pk}", {"role": "admin"})


def user_is_disabled(admin: User, owner: User, browser: Client) -> None:
    _staff("patch", f"/users/{owner.pk}", {"is_active": False})


def user_ends_it(admin: User, owner: User, browser: Client) -> None:
    _own(owner, "delete", f"/auth/sessions/{Session.objects.get(impersonated_by=admin).pk}")


def user_signs_out_everywhere(admin: User, owner: User, browser: Client) -> None:
    _own(owner, "post", "/auth/logout-all")


def staff_end_it(admin: User, owner: User, browser: Client) -> None:
    browser.post(STAYS, {"action": "end", "_selected_action": [str(Impersonation.objects.get().pk)]})


def role_loses_admin(admin: User, owner: User, browser: Client) -> None:
    Role.objects.create(name="root", permissions=["admin"])
    create_user("root")
    _own(create_user("root"), "patch", f"/roles/{admin.role_id}", {"permissions": ["read:user"]})


def _staff(verb: str, path: str, body: dict[str, Any] | None = None) -> None:
    _own(create_user("admin"), verb, path, body)


def _own(user: User, verb: str, path: str, body: dict[str, Any] | None = None) -> None:
    client = Client(headers=bearer(access_token_of(create_session(user))), REMOTE_ADDR="10.81.0.1")
    assert json(getattr(client, verb), path, body).status_code in {200, 204}


@pytest.mark.parametrize(
    "something",
    [
        logs_out,
        signs_out_everywhere,
        is_demoted,
        is_disabled,
        is_deleted,
        user_becomes_administrator,
        user_is_disabled,
        user_ends_it,
        user_signs_out_everywhere,
        staff_end_it,
        role_loses_admin,
    ],
)
def test_it_ends_when(
    something: Callable[[User, User, Client], None], browser: Client, admin: User, owner: User, events: Events
) -> None:
    support = api_of(act_as(browser, owner))
    assert support.get("/api/v1/users/me").status_code == 200

    something(admin, owner, browser)

    assert error_of(support.get("/api/v1/users/me")) == SESSION_REVOKED
    stay = Impersonation.objects.get()
    assert stay.ended_at is not None
    assert Session.objects.get(impersonated_by=admin).revoked_at is not None
    assert len(events("impersonation.ended")) == 1


def test_it_ends_at_its_time(browser: Client, owner: User, moderator: User) -> None:
    support = api_of(act_as(browser, owner))
    past = datetime.now(UTC) - timedelta(seconds=1)
    Impersonation.objects.update(until=past)
    forget_everyone()

    assert error_of(support.get("/api/v1/users/me")) == SESSION_REVOKED
    assert "You hold access" not in browser.get("/admin/").content.decode()
    act_as(browser, moderator)
    first, second = Impersonation.objects.order_by("created_at")
    assert (first.ended_at, first.end_reason, second.ended_at) == (past, "time", None)


def test_a_row_that_was_not_closed_lets_nobody_in(browser: Client, admin: User, owner: User) -> None:
    support = api_of(act_as(browser, owner))
    User.objects.filter(pk=admin.pk).update(role=Role.objects.get(name="moderator"))
    forget_everyone()

    assert error_of(support.get("/api/v1/users/me")) == SESSION_REVOKED
