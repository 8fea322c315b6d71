"""News that a personal access token sends to many: they end with the token."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiToken, User
from accounts.tests.answers import ClientOf, bearer
from accounts.tests.factories import create_api_token_of
from core.models import Job
from core.tests.spine import Drain
from notifications.models import Notification
from notifications.tests.smtp import SmtpSink

SEND = "/api/v1/notifications/send"
NEWS = {"kind": "system.broadcast", "to": {"all": True}, "data": {"title": "Maintenance", "text": "On Sunday."}}


def asked_with(secret: str) -> Job:
    answer = Client(headers=bearer(secret)).post(SEND, NEWS, "application/json")
    assert answer.status_code == 202
    return Job.objects.get(pk=answer.json()["data"]["id"])


def told() -> int:
    return Notification.objects.filter(kind="system.broadcast").count()


def test_a_token_tells_everybody_while_it_holds(owner: User, admin: User, drain: Drain) -> None:
    job = asked_with(create_api_token_of(admin, "send:notification")[1])
    drain()

    job.refresh_from_db()
    assert (job.state, told()) == ("succeeded", 2)


def test_a_token_that_was_revoked_meanwhile_tells_nobody(
    owner: User, admin: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    token, secret = create_api_token_of(admin, "send:notification")
    job = asked_with(secret)
    assert client_of(admin).delete(f"/api/v1/auth/api-tokens/{token.pk}").status_code == 204
    drain()

    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", "permission_denied")
    assert (told(), smtp_sink.to(owner.email)) == (0, [])


@pytest.mark.parametrize(
    "ended",
    [{"expires_at": datetime.now(UTC) - timedelta(minutes=1)}, {"scopes": ["read:resource"]}],
    ids=["expired", "narrowed"],
)
def test_a_token_that_may_not_any_more_tells_nobody(
    ended: dict[str, Any], admin: User, drain: Drain, smtp_sink: SmtpSink
) -> None:
    token, secret = create_api_token_of(admin, "send:notification")
    job = asked_with(secret)
    ApiToken.objects.filter(pk=token.pk).update(**ended)
    drain()

    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", "permission_denied")
    assert (told(), smtp_sink.mails) == (0, [])
