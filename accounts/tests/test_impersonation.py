"""An administrator in somebody's place: how it begins, what it is good for, what it is not, how it ends."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.test import Client

from accounts.models import Impersonation, Session, User
from accounts.tests.answers import SESSION_REVOKED, ClientOf, bearer, error_of, kinds_sent_to, refusal, tables
from accounts.tests.factories import PASSWORD, create_user
from accounts.tests.mfa import give_phone
from accounts.tests.test_races import at_once
from core.tests.spine import Drain, Events
from notifications.tests.smtp import SmtpSink

BrowserOf = Callable[[User], Client]
WHY = "Ticket 4711: cannot open the invoice"
ON_BEHALF = refusal(403, "PERMISSION_DENIED", "Nobody may do this in somebody else's place.")
STAYS = "/admin/accounts/impersonation/"


def page_for(user: User) -> str:
    return f"/admin/act-as/{user.pk}/"


def act_as(browser: Client, user: User, **fields: Any) -> Any:
    return browser.post(page_for(user), {"reason": WHY, "minutes": 30, **fields})


def token_in(page: Any) -> str:
    (token,) = re.findall(r"<pre[^>]*>(ey[^<]+)</pre>", page.content.decode())
    return str(token)


def api_of(page: Any) -> Client:
    """Return a client that carries the token that the page shows."""
    return Client(headers=bearer(token_in(page)), REMOTE_ADDR="10.80.0.1", raise_request_exception=False)


def json(method: Callable[..., Any], path: str, body: dict[str, Any] | None = None) -> Any:
    return method(f"/api/v1{path}", body or {}, "application/json")


def sign_in_was_long_ago(user: User) -> None:
    Session.objects.filter(user=user).update(authenticated_at=datetime.now(UTC) - timedelta(minutes=11))


@pytest.fixture
def browser(admin: User, browser_of: BrowserOf) -> Client:
    """The browser of Ada, an administrator."""
    return browser_of(admin)


@pytest.fixture
def support(browser: Client, owner: User) -> Client:
    """The API as Ada sees it in Olive's place."""
    return api_of(act_as(browser, owner))


# Beginning -------------------------------------------------------------------------------------


def test_the_token_speaks_for_the_user_and_names_the_administrator(
    browser: Client, admin: User, owner: User, events: Events
) -> None:
    page = act_as(browser, owner)

    claims = jwt.decode(token_in(page), options={"verify_signature": False})
    me = api_of(page).get("/api/v1/users/me")
    stay = Impersonation.objects.get()
    assert (claims["sub"], claims["act"], claims["sid"]) == (
        str(owner.pk),
        {"sub": str(admin.pk)},
        str(stay.session_id),
    )
    assert 29 * 60 < claims["exp"] - claims["iat"] <= 30 * 60
    assert (me.status_code, me.json()["data"]["email"]) == (200, owner.email)
    assert me.headers["X-Impersonated-By"] == str(admin.pk)
    assert (stay.administrator, stay.user, stay.reason) == (admin, owner, WHY)
    (event,) = events("impersonation.started")
    assert (event.actor, event.on_behalf_of) == (admin.pk, None)
    assert event.payload == {"user": str(owner.pk), "reason": WHY, "minutes": 30}
    assert page.headers["Cache-Control"].startswith("max-age=0, no-cache, no-store")


def test_the_user_is_told_and_sees_it_among_their_sessions(
    browser: Client, owner: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    act_as(browser, owner)
    drain()

    (mail,) = smtp_sink.mails
    names = [row["device"] for row in client_of(owner).get("/api/v1/auth/sessions").json()["data"]]
    assert (mail["To"], mail["Subject"]) == (owner.email, "Ada Admin has access to your account")
    assert WHY in str(mail.get_body(("plain",)))
    assert "Support: Ada Admin (Nook Link staff)" in names


def test_a_token_of_ones_own_names_nobody(owner: User, client_of: ClientOf) -> None:
    assert "X-Impersonated-By" not in client_of(owner).get("/api/v1/users/me").headers


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"reason": ""}, "This field is required."),
        ({"reason": "   "}, "This field is required."),
        ({"reason": "x" * 301}, "at most 300 characters"),
        ({"minutes": 4}, "greater than or equal to 5"),
        ({"minutes": 61}, "less than or equal to 60"),
    ],
    ids=str,
)
def test_reason_and_time_are_demanded(browser: Client, owner: User, fields: dict[str, Any], complaint: str) -> None:
    before = tables()

    page = act_as(browser, owner, **fields)

    assert complaint in page.content.decode()
    assert (tables(), Impersonation.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    ("whom", "complaint"),
    [
        ("administrator", "Nobody acts as an administrator."),
        ("disabled", "This account is disabled."),
        ("oneself", "This is you."),
    ],
)
def test_some_people_are_nobodys_to_act_as(browser: Client, admin: User, whom: str, complaint: str) -> None:
    people = {"administrator": create_user("admin"), "disabled": create_user(is_active=False), "oneself": admin}
    before = tables()

    page = act_as(browser, people[whom])

    assert complaint in page.content.decode()
    assert (tables(), Impersonation.objects.count()) == (before, 0)


def test_a_deleted_user_is_not_there(browser: Client) -> None:
    assert act_as(browser, create_user(deleted_at=datetime.now(UTC))).status_code == 404


def test_one_stay_at_a_time(browser: Client, owner: User, stranger: User) -> None:
    act_as(browser, owner)

    page = act_as(browser, stranger)

    assert "stop that first" in page.content.decode()
    assert Impersonation.objects.get().user == owner


def test_an_old_sign_in_has_to_be_confirmed(browser: Client, admin: User, owner: User) -> None:
    sign_in_was_long_ago(admin)

    asked = act_as(browser, owner)
    wrong = act_as(browser, owner, password="wrong-horse")
    assert Impersonation.objects.count() == 0
    right = act_as(browser, owner, password=PASSWORD)

    assert "Your own password" in asked.content.decode()
    assert "is wrong" in wrong.content.decode()
    assert api_of(right).get("/api/v1/users/me").status_code == 200


def test_with_two_factor_sign_in_it_is_confirmed_by_a_code(browser: Client, admin: User, owner: User) -> None:
    phone = give_phone(admin)
    sign_in_was_long_ago(admin)

    asked = act_as(browser, owner, password=PASSWORD)
    wrong = act_as(browser, owner, code="000000")
    assert Impersonation.objects.count() == 0
    right = act_as(browser, owner, code=phone.code())

    assert "A code of your own app" in asked.content.decode()
    assert "is wrong" in wrong.content.decode()
    assert api_of(right).get("/api/v1/users/me").status_code == 200


@pytest.mark.parametrize("who", ["moderator", "owner"])
def test_it_is_for_administrators(
    request: pytest.FixtureRequest, stranger: User, browser_of: BrowserOf, who: str
) -> None:
    browser = Client() if who == "owner" else browser_of(request.getfixturevalue(who))

    answers = [browser.get(page_for(stranger)), act_as(browser, stranger)]

    assert [answer.status_code for answer in answers] == ([302] * 2 if who == "owner" else [403] * 2)
    assert Impersonation.objects.count() == 0


def test_the_page_of_a_user_leads_there(browser: Client, owner: User) -> None:
    user_page = browser.get(f"/admin/accounts/user/{owner.pk}/change/").content.decode()
    (link,) = re.findall(r'href="([^"]+act-as[^"]*)"', user_page)

    page = browser.get(link)

    assert (page.status_code, page.headers["Location"]) == (302, page_for(owner))
    assert browser.get(page_for(owner)).status_code == 200


# In the admin ----------------------------------------------------------------------------------


def test_the_pages_become_those_of_a_staff_member_under_a_banner(
    browser: Client, moderator: User, events: Events
) -> None:
    act_as(browser, moderator)

    index, audit = browser.get("/admin/"), browser.get("/admin/core/event/")

    text = re.sub(r"\s+", " ", index.content.decode())
    assert "You act as <strong>Mo Moderator</strong>" in text
    assert WHY in text
    assert audit.status_code == 403
    assert act_as(browser, create_user()).status_code == 403


def test_a_change_in_the_admin_bears_both_names(
    browser: Client, admin: User, moderator: User, owner: User, events: Events
) -> None:
    act_as(browser, moderator)

    values = {"email": owner.email, "name": "Changed", "role": owner.role_id, "is_active": "on", "email_verified": "on"}
    browser.post(f"/admin/accounts/user/{owner.pk}/change/", values)

    (event,) = events("user.updated")
    assert (event.actor, event.on_behalf_of) == (admin.pk, moderator.pk)


def test_for_a_plain_user_the_pages_stay_ones_own_under_a_banner(browser: Client, owner: User) -> None:
    act_as(browser, owner)

    page = browser.get("/admin/core/event/")

    assert page.status_code == 200
    assert "You hold access to the account of" in page.content.decode()


def test_the_password_of_a_staff_member_is_not_changed_for_them(browser: Client, moderator: User) -> None:
    act_as(browser, moderator)

    new = "another-horse-battery-staple"
    page = browser.post(
        "/admin/password_change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    )

    assert "in somebody else&#x27;s place" in page.content.decode()
    assert User.objects.get(pk=moderator.pk).password == moderator.password


def test_stop_gives_the_pages_back(browser: Client, admin: User, moderator: User, events: Events) -> None:
    support = api_of(act_as(browser, moderator))

    stopped = browser.post("/admin/stop-acting/")

    page = browser.get("/admin/core/event/")
    assert (stopped.status_code, page.status_code) == (302, 200)
    assert "You act as" not in page.content.decode()
    assert error_of(support.get("/api/v1/users/me")) == SESSION_REVOKED
    (event,) = events("impersonation.ended")
    assert (event.actor, event.on_behalf_of, event.payload["reason"]) == (admin.pk, moderator.pk, "stopped")
    assert browser.get("/admin/stop-acting/").status_code == 405


def test_another_browser_of_the_same_administrator_stays_itself(
    browser: Client, admin: User, moderator: User, browser_of: BrowserOf
) -> None:
    act_as(browser, moderator)
    other = browser_of(admin)

    assert other.get("/admin/core/event/").status_code == 200
    assert browser.get("/admin/core/event/").status_code == 403


# What it is not good for -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/auth/reauthenticate", {"password": PASSWORD}),
        ("POST", "/auth/change-password", {"current_password": PASSWORD, "new_password": "another-horse-battery"}),
        ("POST", "/auth/change-email", {"email": "mine@example.com"}),
        ("POST", "/auth/logout-all", {}),
    ],
)
def test_nothing_that_outlives_the_stay_is_done(
    support: Client, owner: User, method: str, path: str, body: dict[str, Any]
) -> None:
    before = tables()

    answer = json(getattr(support, method.lower()), path, body)

    assert error_of(answer) == ON_BEHALF
    assert tables() == before


def test_no_refresh_token_of_it_is_known_to_anybody(support: Client, owner: User) -> None:
    session = Session.objects.get(impersonated_by__isnull=False)

    assert session.expires_at == Impersonation.objects.get().until
    assert "refresh" not in support.get("/api/v1/users/me").content.decode()
    assert json(support.post, "/auth/refresh-token").status_code == 400


def test_it_permits_what_the_user_s_role_permits(support: Client, stranger: User) -> None:
    before = tables()

    answers = [
        support.get("/api/v1/users"),
        json(support.post, "/roles", {"name": "mine", "permissions": ["admin"]}),
        json(support.patch, f"/users/{stranger.pk}", {"role": "admin"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert tables() == before


def test_an_answer_kept_for_the_user_is_not_given_to_the_administrator(
    support: Client, owner: User, client_of: ClientOf
) -> None:
    key = {"Idempotency-Key": "one"}

    first = client_of(owner).post("/api/v1/resources", {"name": "A"}, headers=key)
    second = support.post("/api/v1/resources", {"name": "A"}, "application/json", headers=key)

    assert "Idempotency-Replayed" not in second.headers
    assert first.json()["data"]["id"] != second.json()["data"]["id"]


def test_the_user_s_requests_are_not_counted_against_them(support: Client, owner: User, client_of: ClientOf) -> None:
    for _ in range(5):
        support.get("/api/v1/users/me")

    assert client_of(owner).get("/api/v1/users/me").headers["RateLimit-Remaining"] == "599"


@pytest.mark.django_db(transaction=True)
def test_of_many_beginnings_at_once_one_wins(transactional_db: None, browser_of: BrowserOf) -> None:
    admin = create_user("admin", email="admin@example.com")
    browsers, people = [browser_of(admin) for _ in range(4)], [create_user() for _ in range(4)]

    at_once(4, lambda index: act_as(browsers[index], people[index]).status_code)

    assert Impersonation.objects.open().count() == 1
    assert Session.objects.live().filter(impersonated_by=admin).count() == 1


def test_the_mail_is_of_a_kind_that_nobody_switches_off(browser: Client, owner: User) -> None:
    act_as(browser, owner)

    assert kinds_sent_to(owner.email) == ["account.support_access"]
    assert settings.SITE_NAME == "Nook Link"
