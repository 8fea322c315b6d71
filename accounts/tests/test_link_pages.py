import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Session, User
from accounts.services import addresses, passwords, registration, sessions
from accounts.tests.factories import PASSWORD, create_session
from core.permissions import Caller
from notifications.tests.smtp import SmtpSink

Drain = Callable[..., int]
FRESH = "another-horse-battery-staple"
PAGES = ["/verify-email", "/reset-password", "/accept-invitation", "/change-email"]


@pytest.fixture
def newcomer(drain: Drain) -> User:
    """Somebody who has registered and has a link waiting in the mail."""
    registration.register(email="ada@example.com", password=PASSWORD, name="Ada")
    drain()
    return User.objects.get(email="ada@example.com")


@pytest.fixture
def forgetful(owner: User, drain: Drain) -> User:
    """Somebody who has asked for a link to set a new password."""
    passwords.request_password_reset(email=owner.email)
    drain()
    return owner


def test_opening_the_page_changes_nothing_and_the_button_does(
    newcomer: User, drain: Drain, smtp_sink: SmtpSink
) -> None:
    token = smtp_sink.token_sent_to("ada@example.com")
    browser = Client(enforce_csrf_checks=True)

    for _ in range(3):
        page = browser.get("/verify-email", {"token": token})
    newcomer.refresh_from_db()
    assert (page.status_code, newcomer.email_verified) == (200, False)

    (csrf,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())
    response = browser.post("/verify-email", {"token": token, "csrfmiddlewaretoken": csrf})

    newcomer.refresh_from_db()
    assert (response.status_code, newcomer.email_verified) == (200, True)
    assert "Your address is confirmed" in response.content.decode()
    drain()
    assert [mail["Subject"] for mail in smtp_sink.mails] == ["Confirm your e-mail address", "Welcome to Nook Link"]


def test_the_link_in_the_mail_leads_to_the_page(newcomer: User, smtp_sink: SmtpSink) -> None:
    text = str(smtp_sink.mails[0].get_body(("plain",)))
    (path,) = re.findall(r"(/verify-email\?token=\S+)", text)

    assert Client().get(path).status_code == 200


def test_a_button_without_its_csrf_token_is_refused(newcomer: User, smtp_sink: SmtpSink) -> None:
    token = smtp_sink.token_sent_to("ada@example.com")

    response = Client(enforce_csrf_checks=True).post("/verify-email", {"token": token})

    newcomer.refresh_from_db()
    assert (response.status_code, newcomer.email_verified) == (403, False)


def test_a_link_serves_once(newcomer: User, smtp_sink: SmtpSink) -> None:
    token = smtp_sink.token_sent_to("ada@example.com")
    Client().post("/verify-email", {"token": token})

    response = Client().post("/verify-email", {"token": token})

    assert response.status_code == 400
    assert "This link is not valid any more; ask for a new one." in response.content.decode()


def test_a_new_password_is_set_and_every_session_ends(forgetful: User, smtp_sink: SmtpSink) -> None:
    session = create_session(forgetful)
    token = smtp_sink.token_sent_to(forgetful.email)

    response = Client().post("/reset-password", {"token": token, "password": FRESH, "repeated": FRESH})

    assert response.status_code == 200
    session.refresh_from_db()
    assert session.revoke_reason == "password_reset"
    assert sessions.sign_in(email=forgetful.email, password=FRESH).user == forgetful


@pytest.mark.parametrize(
    ("password", "repeated", "sentence"),
    [
        (FRESH, "something-else-entirely", "The two passwords differ."),
        ("short", "short", "This password is too short."),
        ("", "", "This field is required."),
    ],
)
def test_a_password_that_will_not_do_leaves_the_link_usable(
    password: str, repeated: str, sentence: str, forgetful: User, smtp_sink: SmtpSink
) -> None:
    token = smtp_sink.token_sent_to(forgetful.email)

    response = Client().post("/reset-password", {"token": token, "password": password, "repeated": repeated})

    page = response.content.decode()
    assert (response.status_code, sentence in page) == (400, True)
    assert f'value="{token}"' in page
    assert not Session.objects.exists()
    again = Client().post("/reset-password", {"token": token, "password": FRESH, "repeated": FRESH})
    assert again.status_code == 200


def test_a_new_address_is_confirmed(owner: User, drain: Drain, smtp_sink: SmtpSink) -> None:
    recent = create_session(owner)
    actor = Caller(
        owner.pk,
        owner.email,
        owner.name,
        session_id=recent.pk,
        authenticated_at=recent.authenticated_at,
    )
    addresses.request_email_change(actor=actor, email="new@example.com")
    drain()

    response = Client().post("/change-email", {"token": smtp_sink.token_sent_to("new@example.com")})

    owner.refresh_from_db()
    assert (response.status_code, owner.email) == (200, "new@example.com")


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_stay_private(path: str, db: None) -> None:
    response = Client().get(path, {"token": "nkm_something"})

    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["Referrer-Policy"] == "same-origin"
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href)="([^"]+)"', response.content.decode()) == ["/static/core/logo.svg"]


@pytest.mark.parametrize("path", PAGES)
def test_a_link_without_its_token_says_so(path: str, db: None) -> None:
    response = Client().get(path)

    assert response.status_code == 400
    assert "This link is not complete" in response.content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_markup_in_the_address_stays_text(path: str, db: None) -> None:
    page = Client().get(path, {"token": '"><script>alert(1)</script>'}).content.decode()

    assert "<script>alert" not in page


def test_tries_are_limited_by_address(db: None) -> None:
    browser = Client(REMOTE_ADDR="198.51.100.9")
    answers: list[Any] = [browser.post("/verify-email", {"token": f"nkm_{number}"}) for number in range(11)]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
