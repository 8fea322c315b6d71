"""POST /auth/register."""

import pytest
from django.test import Client
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import Session, User
from accounts.tests.answers import error_of, invalid, kinds_sent_to, sign_in, tables
from accounts.tests.factories import PASSWORD
from core.tests.spine import Drain, Events
from notifications.tests.smtp import SmtpSink

PATH = "/api/v1/auth/register"
BODY = {"email": "New@Example.com", "password": "correct-horse-battery", "name": "Nina New"}
ANSWER = {"success": True, "data": {"email": "new@example.com", "verification_required": True}}


def test_it_creates_an_account_that_waits_for_its_address(
    db: None, anonymous: Client, events: Events, drain: Drain
) -> None:
    answer = anonymous.post(PATH, BODY)
    drain()

    user = User.objects.get()
    assert (answer.status_code, answer.json()) == (201, ANSWER)
    assert (user.email, user.name, user.role.name) == ("new@example.com", "Nina New", "user")
    assert (user.is_active, user.email_verified) == (True, False)
    assert user.password.startswith("bcrypt_sha256$")
    assert [event.type for event in events("user.*")] == ["user.created"]
    assert events("user.created")[0].payload == {"after": {"email": "new@example.com", "name": "Nina New"}}
    assert kinds_sent_to("new@example.com") == ["account.verify_email"]
    assert Session.objects.count() == 0


def test_the_mail_is_sent_by_a_worker_after_the_answer(
    db: None, anonymous: Client, smtp_sink: SmtpSink, drain: Drain
) -> None:
    anonymous.post(PATH, BODY)
    before = len(smtp_sink.to("new@example.com"))

    drain()

    assert (before, len(smtp_sink.to("new@example.com"))) == (0, 1)


def test_a_taken_address_gets_the_same_answer_and_its_owner_is_told(
    owner: User, anonymous: Client, events: Events, drain: Drain
) -> None:
    known = anonymous.post(PATH, {**BODY, "email": "OWNER@example.com", "name": "Mallory"})
    drain()
    unknown = anonymous.post(PATH, BODY)

    owner.refresh_from_db()
    assert (known.status_code, known.json()["data"]["verification_required"]) == (201, True)
    assert known.json().keys() == unknown.json().keys()
    assert set(known.headers) == set(unknown.headers)
    assert owner.name == "Olive Owner"
    assert kinds_sent_to(owner.email) == ["account.email_taken"]
    assert [event.type for event in events("user.*")] == ["user.registration_repeated", "user.created"]


def test_who_registers_again_with_the_same_password_gets_a_new_link_and_keeps_it(
    db: None, anonymous: Client, drain: Drain, smtp_sink: SmtpSink
) -> None:
    anonymous.post(PATH, BODY)

    answer = anonymous.post(PATH, BODY)
    drain()
    confirmed = anonymous.post("/api/v1/auth/verify-email", {"token": smtp_sink.token_sent_to("new@example.com")})

    assert (answer.status_code, answer.json()) == (201, ANSWER)
    assert kinds_sent_to("new@example.com")[:2] == ["account.verify_email", "account.verify_email"]
    assert confirmed.status_code == 200
    assert sign_in(anonymous, "new@example.com", BODY["password"]).status_code == 200


def test_who_registers_an_address_first_does_not_get_it_by_its_owners_click(
    db: None, anonymous: Client, drain: Drain, smtp_sink: SmtpSink
) -> None:
    anonymous.post(PATH, {**BODY, "password": "mallory-horse-battery"})
    drain()
    first = smtp_sink.token_sent_to("new@example.com")

    answer = anonymous.post(PATH, BODY)
    drain()
    confirmed = anonymous.post("/api/v1/auth/verify-email", {"token": first})
    thief = sign_in(anonymous, "new@example.com", "mallory-horse-battery")
    body = {"token": smtp_sink.token_sent_to("new@example.com"), "password": BODY["password"]}
    anonymous.post("/api/v1/auth/reset-password", body)

    assert (answer.status_code, answer.json()) == (201, ANSWER)
    assert (confirmed.status_code, thief.status_code) == (200, 401)
    assert kinds_sent_to("new@example.com")[:2] == ["account.verify_email", "account.password_reset"]
    assert sign_in(anonymous, "new@example.com", BODY["password"]).status_code == 200


def test_the_address_of_a_deleted_account_is_free(owner: User, anonymous: Client) -> None:
    User.all_objects.filter(pk=owner.pk).update(deleted_at=owner.created_at)

    answer = anonymous.post(PATH, {**BODY, "email": owner.email})

    assert answer.status_code == 201
    assert User.objects.get(email=owner.email).pk != owner.pk


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"email": "nobody"}, ("email", "invalid", "Enter a valid email address.")),
        ({"email": "jörg@example.com"}, ("email", "not_ascii", "Use the ASCII form of this address.")),
        ({"email": ""}, ("email", "blank", "This field may not be blank.")),
        ({"email": None}, ("email", "null", "This field may not be null.")),
        ({"email": 7}, ("email", "invalid", "Not a valid string.")),
        ({"name": " "}, ("name", "blank", "This field may not be blank.")),
        (
            {"name": "a\u202eb"},
            ("name", "hidden_characters", "Control and invisible characters are not allowed here."),
        ),
        (
            {"password": "short-one"},
            (
                "password",
                "password_too_short",
                "This password is too short. It must contain at least 10 characters.",
            ),
        ),
        ({"password": "x1-" * 50}, ("password", "password_too_long", "At most 128 characters.")),
        ({"password": "password123"}, ("password", "password_too_common", "This password is too common.")),
        ({"password": "8642097531"}, ("password", "password_entirely_numeric", "This password is entirely numeric.")),
        (
            {"password": "new@example.com"},
            ("password", "password_too_similar", "The password is too similar to the email."),
        ),
        ({"role": "admin"}, ("role", "unknown_field", "There is no such field.")),
        ({"is_active": True}, ("is_active", "unknown_field", "There is no such field.")),
    ],
    ids=str,
)
def test_it_refuses_what_is_no_account(
    db: None, anonymous: Client, change: dict[str, object], detail: tuple[str, str, str]
) -> None:
    answer = anonymous.post(PATH, {**BODY, **change})

    assert error_of(answer) == invalid(detail)
    assert User.all_objects.count() == 0
    assert kinds_sent_to("new@example.com") == []


def test_a_weak_password_is_refused_for_a_taken_address_too(owner: User, anonymous: Client) -> None:
    before = tables()

    answer = anonymous.post(PATH, {**BODY, "email": owner.email, "password": "password123"})

    assert error_of(answer) == invalid(("password", "password_too_common", "This password is too common."))
    assert tables() == before


def test_the_whole_password_counts(db: None, anonymous: Client) -> None:
    """Plain bcrypt would stop at 72 bytes."""
    long = "x-1" * 40
    anonymous.post(PATH, {**BODY, "password": long + "tail"})
    User.objects.update(email_verified=True)

    cut, whole = sign_in(anonymous, "new@example.com", long), sign_in(anonymous, "new@example.com", long + "tail")

    assert (cut.status_code, whole.status_code) == (401, 200)


def test_repeated_registrations_do_not_flood_a_mailbox(owner: User, drain: Drain) -> None:
    for number in range(12):
        Client(REMOTE_ADDR=f"10.9.8.{number}").post(PATH, {**BODY, "email": owner.email}, "application/json")
    drain()

    assert len(kinds_sent_to(owner.email)) == 5


def test_the_eleventh_try_from_one_address_waits(db: None, anonymous: Client) -> None:
    statuses = [anonymous.post(PATH, {}).status_code for _ in range(11)]

    assert statuses == [400] * 10 + [429]


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    email=st.one_of(st.emails(), st.text(max_size=300)),
    password=st.text(max_size=200),
    name=st.text(max_size=300),
)
@example(email="İ@example.com", password=PASSWORD, name="x")
@example(email="a@exämple.com", password=PASSWORD, name="x")
@example(email='"quoted"@example.com', password=PASSWORD, name="x")
@example(email="a@b.co", password="\ud800" * 12, name="x")
def test_no_input_is_answered_with_a_fault(db: None, email: str, password: str, name: str) -> None:
    try:
        body = {"email": email, "password": password, "name": name}
        answer = Client(REMOTE_ADDR="10.1.1.1", raise_request_exception=True).post(PATH, body, "application/json")
    except UnicodeEncodeError:
        return  # a lone surrogate, which the test client cannot send

    assert answer.status_code in {201, 400, 429}
