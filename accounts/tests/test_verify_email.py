"""POST /auth/verify-email and /auth/resend-verification."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import SingleUseToken, User
from accounts.tests.answers import INVALID_LINK, error_of, kinds_sent_to, sign_in, tables
from accounts.tests.factories import PASSWORD, create_user
from core.tests.spine import Drain, Events
from notifications.tests.smtp import SmtpSink

PATH = "/api/v1/auth/verify-email"
ADDRESS = "new@example.com"


@pytest.fixture
def mailed_token(db: None, anonymous: Client, drain: Drain, smtp_sink: SmtpSink) -> str:
    """The secret that a new user was mailed."""
    anonymous.post("/api/v1/auth/register", {"email": ADDRESS, "password": PASSWORD, "name": "Nina"})
    drain()
    return smtp_sink.token_sent_to(ADDRESS)


def test_the_mailed_link_confirms_the_address(
    mailed_token: str, anonymous: Client, drain: Drain, events: Events
) -> None:
    answer = anonymous.post(PATH, {"token": mailed_token})
    drain()

    assert answer.json() == {"success": True, "data": {"email": ADDRESS, "email_verified": True}}
    assert User.objects.get().email_verified is True
    assert [event.type for event in events("user.*")] == ["user.created", "user.email_verified"]
    assert kinds_sent_to(ADDRESS) == ["account.verify_email", "account.welcome"]
    assert sign_in(anonymous, ADDRESS).status_code == 200


def test_the_link_serves_once(mailed_token: str, anonymous: Client) -> None:
    anonymous.post(PATH, {"token": mailed_token})
    before = tables()

    answer = anonymous.post(PATH, {"token": mailed_token})

    assert error_of(answer) == INVALID_LINK
    assert tables() == before


def test_the_link_serves_for_a_day(mailed_token: str, anonymous: Client) -> None:
    lifetime = SingleUseToken.objects.get().expires_at - datetime.now(UTC)
    SingleUseToken.objects.update(expires_at=datetime.now(UTC))

    answer = anonymous.post(PATH, {"token": mailed_token})

    assert timedelta(hours=23, minutes=59) < lifetime <= timedelta(hours=24)
    assert error_of(answer) == INVALID_LINK
    assert User.objects.get().email_verified is False


def test_a_newer_link_voids_the_older(mailed_token: str, anonymous: Client, drain: Drain, smtp_sink: SmtpSink) -> None:
    resent = anonymous.post("/api/v1/auth/resend-verification", {"email": ADDRESS})
    drain()

    older = anonymous.post(PATH, {"token": mailed_token})
    newer = anonymous.post(PATH, {"token": smtp_sink.token_sent_to(ADDRESS)})

    assert resent.status_code == 202
    assert error_of(older) == INVALID_LINK
    assert newer.status_code == 200


def test_a_link_for_another_purpose_does_not_confirm(
    owner: User, anonymous: Client, drain: Drain, smtp_sink: SmtpSink
) -> None:
    User.objects.update(email_verified=False)
    anonymous.post("/api/v1/auth/forgot-password", {"email": owner.email})
    drain()

    answer = anonymous.post(PATH, {"token": smtp_sink.token_sent_to(owner.email)})

    assert error_of(answer) == INVALID_LINK
    assert User.objects.get().email_verified is False


@pytest.mark.parametrize("token", ["x", "nkm_" + "0" * 49, "nkr_" + "0" * 49, "\u00e9" * 53])
def test_a_secret_that_nobody_was_sent_is_refused(db: None, anonymous: Client, token: str) -> None:
    assert error_of(anonymous.post(PATH, {"token": token})) == INVALID_LINK


def test_only_the_digest_of_the_secret_is_stored(mailed_token: str) -> None:
    stored = SingleUseToken.objects.get().token

    assert len(stored) == 64
    assert mailed_token not in stored


@pytest.mark.parametrize(
    "fields",
    [{"email_verified": True}, {"email_verified": False, "is_active": False}],
    ids=["confirmed", "disabled"],
)
def test_resending_to_an_account_that_does_not_wait_sends_nothing(
    db: None, anonymous: Client, drain: Drain, fields: dict[str, Any]
) -> None:
    user = create_user(**fields)

    known = anonymous.post("/api/v1/auth/resend-verification", {"email": user.email})
    unknown = anonymous.post("/api/v1/auth/resend-verification", {"email": "nobody@example.com"})
    drain()

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.status_code == 202
    assert kinds_sent_to(user.email) == []
