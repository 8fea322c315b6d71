"""A passkey as the second step of signing in to the admin."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import MfaChallenge, Session, User
from accounts.tests.authenticator import Authenticator
from accounts.tests.factories import PASSWORD
from accounts.tests.mfa import give_phone
from accounts.tests.passkeys import passkey_of

pytestmark = pytest.mark.django_db

STEP = "/admin/login/second-step/"
OPTIONS = re.compile(r'<script id="passkey-options" type="application/json">(.*?)</script>', re.DOTALL)


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.RATE_LIMIT_SCALE = 1000


@pytest.fixture
def authenticator(admin: User) -> Authenticator:
    return passkey_of(admin)


def begin(user: User) -> Client:
    """Return a browser that has given the right password."""
    browser = Client()
    browser.post("/admin/login/", {"username": user.email, "password": PASSWORD})
    Session.objects.all().delete()
    return browser


def options_on(page: str) -> dict[str, Any]:
    found = OPTIONS.search(page)
    assert found is not None
    options: dict[str, Any] = json.loads(found[1])
    return options


def give(browser: Client, credential: Any, **more: str) -> Any:
    return browser.post(STEP, {"code": "", "credential": json.dumps(credential), **more})


def test_the_page_offers_a_passkey_by_a_script_of_ours(admin: User, authenticator: Authenticator) -> None:
    answer = begin(admin).get(STEP)

    page = answer.content.decode()
    assert options_on(page)["userVerification"] == "required"
    assert re.findall(r"<script[^>]* src=\"([^\"]*passkey[^\"]*)\"", page) == ["/static/accounts/passkey.js"]
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert re.search(r'id="passkey-offer" hidden', page)
    assert 'name="code"' in page


def test_who_has_no_passkey_is_offered_none(admin: User) -> None:
    give_phone(admin)

    assert "passkey" not in begin(admin).get(STEP).content.decode()


def test_the_passkey_opens_the_admin_where_one_wanted_to_go(admin: User, authenticator: Authenticator) -> None:
    browser = begin(admin)
    options = options_on(browser.get(STEP).content.decode())

    answer = give(browser, authenticator.get(options), next="/admin/accounts/user/")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/accounts/user/")
    assert browser.get("/admin/accounts/user/").status_code == 200
    assert Session.objects.get().amr == ["pwd", "hwk", "user", "mfa"]


def test_a_code_opens_it_beside_the_passkey(admin: User, authenticator: Authenticator) -> None:
    phone = give_phone(admin)

    assert begin(admin).post(STEP, {"code": phone.code()}).status_code == 302


def test_what_a_passkey_signed_for_another_site_is_refused_and_the_page_offers_anew(
    admin: User, authenticator: Authenticator
) -> None:
    browser = begin(admin)
    first = options_on(browser.get(STEP).content.decode())
    authenticator.origin = "https://evil.example"

    answer = give(browser, authenticator.get(first))

    assert answer.status_code == 200
    assert options_on(answer.content.decode())["challenge"] != first["challenge"]
    assert not Session.objects.exists()
    assert MfaChallenge.objects.get().tries == 1


@pytest.mark.parametrize(
    "credential",
    [
        "{",
        "[" * 50_000,
        "[]",
        "null",
        "{}",
        '{"id": 1}',
        '{"id": "\\u0000", "response": {"clientDataJSON": "e30"}}',
        '{"id": "a", "response": []}',
        '{"id": "a", "response": {"clientDataJSON": {"a": 1}}}',
        '{"id": "a", "response": {"clientDataJSON": "e30", "userHandle": [[]]}}',
        "x" * 100_001,
    ],
    ids=range(11),
)
def test_nonsense_in_the_hidden_field_is_refused(admin: User, authenticator: Authenticator, credential: str) -> None:
    answer = begin(admin).post(STEP, {"code": "", "credential": credential})

    assert answer.status_code == 200
    assert not Session.objects.exists()


def test_a_sign_in_that_waits_no_longer_begins_again(admin: User, authenticator: Authenticator) -> None:
    browser = begin(admin)
    MfaChallenge.objects.all().delete()

    assert "passkey" not in browser.get(STEP).content.decode()
    assert give(browser, {}, code="000000").headers["Location"] == "/admin/login/"
