from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Session, User
from accounts.services import sessions, users
from accounts.tests.factories import PASSWORD, create_session, create_user
from core.permissions import SYSTEM

BrowserOf = Callable[[User], Client]
INDEX = "/admin/"
LOGIN = "/admin/login/"


def sign_in(browser: Client, email: str, password: str = PASSWORD, **fields: str) -> Any:
    return browser.post(LOGIN, {"username": email, "password": password, **fields})


def test_staff_sign_in_and_see_the_dashboard(admin: User, events: Callable[..., Any]) -> None:
    browser = Client()

    response = sign_in(browser, "admin@example.com")

    assert (response.status_code, response.headers["Location"]) == (302, INDEX)
    assert browser.get(INDEX).status_code == 200
    session = Session.objects.get(user=admin)
    (event,) = events("session.created")
    assert event.subject_id == str(session.pk)
    cookie = response.cookies["nook_admin_device"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/admin/")
    assert response.cookies["nook_admin"]["httponly"] is True


def test_after_signing_in_one_is_where_one_wanted_to_go(admin: User) -> None:
    response = sign_in(Client(), "admin@example.com", next="/admin/notifications/message/")

    assert response.headers["Location"] == "/admin/notifications/message/"


def test_signing_in_leads_to_no_other_site(admin: User) -> None:
    response = sign_in(Client(), "admin@example.com", next="https://elsewhere.example/admin/")

    assert response.headers["Location"] == INDEX


def test_strangers_are_sent_to_the_sign_in_page(db: None) -> None:
    response = Client().get("/admin/notifications/message/")

    assert (response.status_code, response.headers["Location"]) == (302, f"{LOGIN}?next=/admin/notifications/message/")


@pytest.mark.parametrize(("email", "password"), [("admin@example.com", "wrong-password"), ("nobody@example.com", "x")])
def test_wrong_credentials_are_refused_with_one_sentence(admin: User, email: str, password: str) -> None:
    browser = Client()

    response = sign_in(browser, email, password)

    assert "The e-mail address, password or code is wrong." in response.content.decode()
    assert not Session.objects.exists()
    assert browser.get(INDEX).status_code == 302


def test_a_plain_user_has_no_part_in_the_administration(owner: User) -> None:
    browser = Client()

    response = sign_in(browser, "owner@example.com")

    assert "This account has no part in the administration." in response.content.decode()
    assert not Session.objects.exists()
    assert browser.get(INDEX).status_code == 302


def test_after_five_wrong_passwords_the_right_one_has_to_wait(admin: User) -> None:
    browser = Client()
    for _ in range(5):
        sign_in(browser, "admin@example.com", "wrong-password")

    response = sign_in(browser, "admin@example.com")

    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 30
    assert not Session.objects.exists()


def test_one_address_has_ten_tries(db: None) -> None:
    browser = Client(REMOTE_ADDR="198.51.100.7")
    answers = [sign_in(browser, f"nobody-{number}@example.com", "x").status_code for number in range(11)]

    assert answers == [200] * 10 + [429]


def test_signing_out_ends_the_session_everywhere(admin: User, browser_of: BrowserOf) -> None:
    browser = browser_of(admin)
    copied_cookies = Client()
    copied_cookies.cookies.load({name: morsel.value for name, morsel in browser.cookies.items()})

    response = browser.post("/admin/logout/")

    assert response.headers["Location"] == LOGIN
    assert Session.objects.get().revoke_reason == "signed_out"
    assert browser.get(INDEX).status_code == 302
    assert copied_cookies.get(INDEX).status_code == 302


def test_signing_out_is_a_post(admin: User, browser_of: BrowserOf) -> None:
    browser = browser_of(admin)

    assert browser.get("/admin/logout/").status_code == 405
    assert browser.get(INDEX).status_code == 200


def test_a_session_that_is_ended_elsewhere_ends_in_the_admin_at_once(admin: User, browser_of: BrowserOf) -> None:
    browser = browser_of(admin)
    sessions.end_sessions(user_id=admin.pk, actor=SYSTEM, reason="revoked")

    assert browser.get(INDEX).status_code == 302


def test_losing_the_role_closes_the_admin_at_once(moderator: User, browser_of: BrowserOf) -> None:
    browser = browser_of(moderator)
    assert browser.get(INDEX).status_code == 200

    users.change_user(actor=SYSTEM, user_id=moderator.pk, changes={"role": "user"})

    assert browser.get(INDEX).status_code == 302


def test_the_form_asks_for_its_csrf_token(admin: User) -> None:
    browser = Client(enforce_csrf_checks=True)

    assert sign_in(browser, "admin@example.com").status_code == 403
    assert not Session.objects.exists()


def test_staff_change_their_password_through_the_service(admin: User, browser_of: BrowserOf) -> None:
    other_session = create_session(admin)
    browser = browser_of(admin)
    fresh = "another-horse-battery-staple"

    response = browser.post(
        "/admin/password_change/", {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh}
    )

    assert response.status_code == 302, response.content.decode()
    assert browser.get(INDEX).status_code == 200
    other_session.refresh_from_db()
    assert other_session.revoke_reason == "password_changed"
    assert sign_in(Client(), "admin@example.com", fresh).status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("wrong-password", "another-horse-battery-staple", "The e-mail address, password or code is wrong."),
        (PASSWORD, "short", "This password is too short."),
    ],
)
def test_a_password_is_not_changed_without_the_old_one_or_to_a_weak_one(
    old: str, new: str, sentence: str, admin: User, browser_of: BrowserOf
) -> None:
    before = admin.password

    response = browser_of(admin).post(
        "/admin/password_change/", {"old_password": old, "new_password1": new, "new_password2": new}
    )

    assert sentence in response.content.decode()
    admin.refresh_from_db()
    assert admin.password == before


def test_a_known_device_is_not_locked_out_by_strangers(admin: User, browser_of: BrowserOf) -> None:
    browser = browser_of(admin)
    browser.post("/admin/logout/")
    for _ in range(5):
        sign_in(Client(REMOTE_ADDR="198.51.100.8"), "admin@example.com", "wrong-password")

    assert sign_in(browser, "admin@example.com").status_code == 302


def test_an_account_that_waits_for_its_address_is_told_so(db: None) -> None:
    create_user("admin", email="new@example.com", email_verified=False)

    response = sign_in(Client(), "new@example.com")

    assert "Confirm your e-mail address first." in response.content.decode()


def test_the_first_page_leads_on_and_the_admin_is_found_without_its_slash(db: None) -> None:
    home = Client().get("/")

    assert home.status_code == 200
    assert '<a href="/admin/">Administration</a>' in home.content.decode()
    assert Client().get("/admin").headers["Location"] == INDEX
