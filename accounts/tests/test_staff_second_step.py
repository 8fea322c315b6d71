"""The admin with a second factor: signing in, having to set it up, managing one's own."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import MfaChallenge, Role, Session, TotpDevice, User
from accounts.tests.answers import kinds_sent_to
from accounts.tests.factories import PASSWORD
from accounts.tests.mfa import Phone, give_phone
from core.tests.spine import Events

BrowserOf = Callable[[User], Client]
INDEX = "/admin/"
LOGIN = "/admin/login/"
STEP = "/admin/login/second-step/"
OWN = "/admin/two-factor/"


def begin(user: User, **fields: str) -> Client:
    """Return a browser that has given the right password."""
    browser = Client()
    answer = browser.post(LOGIN, {"username": user.email, "password": PASSWORD, **fields})
    assert answer.headers["Location"].startswith(STEP)
    return browser


@pytest.fixture
def phone(admin: User) -> Phone:
    return give_phone(admin)


def test_the_password_alone_opens_nothing(admin: User, phone: Phone) -> None:
    browser = begin(admin)

    assert not Session.objects.exists()
    assert browser.get(INDEX).headers["Location"] == f"{LOGIN}?next={INDEX}"
    assert browser.get(OWN).headers["Location"].startswith(LOGIN)
    assert "One more step" in browser.get(STEP).content.decode()


def test_the_code_opens_the_admin_where_one_wanted_to_go(admin: User, phone: Phone) -> None:
    browser = begin(admin, next="/admin/accounts/user/")

    answer = browser.post(STEP, {"code": phone.code(), "next": "/admin/accounts/user/"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/accounts/user/")
    assert browser.get("/admin/accounts/user/").status_code == 200
    assert Session.objects.get().amr == ["pwd", "otp", "mfa"]
    assert "nook_admin_device" in answer.cookies


def test_a_recovery_code_opens_it_too(admin: User, phone: Phone) -> None:
    assert begin(admin).post(STEP, {"code": phone.recovery_codes[0]}).status_code == 302
    assert Session.objects.count() == 1


def test_a_wrong_code_is_told_and_counted(admin: User, phone: Phone, events: Events) -> None:
    browser = begin(admin)

    answer = browser.post(STEP, {"code": "000000"})

    assert "The code is wrong, or has served before." in answer.content.decode()
    assert (MfaChallenge.objects.get().tries, len(events("mfa.failed"))) == (1, 1)
    assert not Session.objects.exists()


def test_after_five_wrong_codes_the_next_has_to_wait(admin: User, phone: Phone) -> None:
    browser = begin(admin)
    for _ in range(5):
        assert browser.post(STEP, {"code": "000000"}).status_code == 200

    answer = begin(admin).post(STEP, {"code": phone.code()})

    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)
    assert not Session.objects.exists()


def test_a_sign_in_that_took_too_long_begins_again(admin: User, phone: Phone) -> None:
    browser = begin(admin)
    MfaChallenge.objects.update(expires_at=datetime.now(UTC))

    answer = browser.post(STEP, {"code": phone.code()}, follow=True)

    assert "This sign-in has ended; begin again." in answer.content.decode()
    assert browser.get(STEP).headers["Location"] == LOGIN


def test_a_browser_cannot_name_a_sign_in_of_its_own(admin: User, phone: Phone) -> None:
    begin(admin)
    stranger = Client()
    stranger.cookies["nook_admin"] = str(MfaChallenge.objects.get().pk)

    assert stranger.post(STEP, {"code": phone.code()}).headers["Location"] == LOGIN
    assert not Session.objects.exists()


def test_a_cookie_from_before_the_second_step_opens_nothing_again(admin: User, phone: Phone) -> None:
    browser = begin(admin)
    kept = browser.cookies["nook_admin"].value
    assert browser.post(STEP, {"code": phone.code(-1)}).status_code == 302
    thief = Client()
    thief.cookies["nook_admin"] = kept

    assert thief.post(STEP, {"code": phone.code()}).headers["Location"] == LOGIN
    assert Session.objects.count() == 1


def test_the_form_asks_for_its_csrf_token(admin: User, phone: Phone) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = begin(admin).cookies

    assert strict.post(STEP, {"code": phone.code()}).status_code == 403
    assert not Session.objects.exists()


def test_a_role_that_demands_it_leads_to_setting_it_up(admin: User, browser_of: BrowserOf, settings: Any) -> None:
    settings.MFA_REQUIRED_ROLES = ["admin"]
    browser = browser_of(admin)

    refused = browser.get("/admin/accounts/user/", follow=True)
    changed = browser.post("/admin/accounts/role/add/", {"name": "new"})

    assert refused.redirect_chain[-1][0] == OWN
    assert "Your role demands it" in refused.content.decode()
    assert (changed.status_code, Role.objects.filter(name="new").exists()) == (302, False)


def test_staff_set_it_up_and_go_on(admin: User, browser_of: BrowserOf, settings: Any, events: Events) -> None:
    settings.MFA_REQUIRED_ROLES = ["admin"]
    browser = browser_of(admin)

    shown = browser.post(OWN, {"do": "begin"}, follow=True).content.decode()
    new = Phone(TotpDevice.objects.get().secret, [])
    made = browser.post(OWN, {"do": "confirm", "code": new.code()}).content.decode()

    assert "<svg xmlns=" in shown
    assert new.secret in shown
    codes = re.findall("<code>((?:[0-9a-z]{4}-){3}[0-9a-z]{4})</code>", made)
    assert len(codes) == 10
    assert browser.get(INDEX).status_code == 200
    assert codes[0] not in browser.get(OWN).content.decode()
    assert len(events("mfa.totp_added")) == 1
    assert begin(User.objects.get(pk=admin.pk)).post(STEP, {"code": codes[0]}).status_code == 302


def test_a_session_from_before_proves_itself_by_a_code(admin: User, browser_of: BrowserOf, settings: Any) -> None:
    browser = browser_of(admin)
    phone = give_phone(admin)
    settings.MFA_REQUIRED_ROLES = ["admin"]
    assert browser.get(INDEX, follow=True).redirect_chain[-1][0] == OWN

    browser.post(OWN, {"do": "prove", "proof": phone.code()})

    assert browser.get(INDEX).status_code == 200


def test_changes_ask_who_one_is_after_ten_minutes(admin: User, phone: Phone) -> None:
    browser = begin(admin)
    browser.post(STEP, {"code": phone.code(-1)})
    Session.objects.update(authenticated_at=datetime.now(UTC) - timedelta(minutes=11))

    asked = browser.post(OWN, {"do": "remove"}).content.decode()

    assert "Confirm that it is you" in asked
    assert TotpDevice.objects.count() == 1
    wrong = browser.post(OWN, {"do": "prove", "proof": "000000"}).content.decode()
    assert "That was wrong, or a code that has served before." in wrong
    browser.post(OWN, {"do": "prove", "proof": phone.code()})
    assert browser.post(OWN, {"do": "remove"}).status_code == 302
    assert not TotpDevice.objects.exists()
    assert kinds_sent_to(admin.email) == ["account.mfa_changed"]


def test_what_the_page_does_not_know_changes_nothing(admin: User, browser_of: BrowserOf) -> None:
    assert browser_of(admin).post(OWN, {"do": "explode"}).status_code == 302
    assert not TotpDevice.objects.exists()


def test_the_page_is_for_staff(owner: User) -> None:
    assert Client().get(OWN).headers["Location"] == f"{LOGIN}?next=%2Fadmin%2Ftwo-factor%2F"


def test_it_stands_under_one_s_own_name(admin: User, browser_of: BrowserOf) -> None:
    assert f'href="{OWN}"' in browser_of(admin).get(INDEX).content.decode()
