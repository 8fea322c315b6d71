"""Secrets go through every door of an account; then everything that outlives a request is searched for them.

Logs, events, the broker's messages, the bodies of refusals, and a dump of the database as a backup would hold it.
"""

import os
import subprocess
from typing import Any

import pytest
from celery import Celery
from django.db import connection
from django.test import Client
from kombu.connection import Connection

from accounts.models import User
from accounts.services.mfa_challenges import issue_challenge
from accounts.tests.answers import ClientOf, bearer, sign_in
from accounts.tests.factories import PASSWORD
from accounts.tests.mfa import Phone, mfa_token_of, verify
from core import relay
from core.embedded.binaries import postgres_folder
from core.tests.spine import consume
from notifications.tests.smtp import SmtpSink
from notifications.tests.twilio import SmsSink

GUEST = "guest@example.com"
NEW_PASSWORD = "canary-horse-and-battery"
NUMBER = "+436641234567"


class Walk:
    """A walk through the account, the secrets that were met on it, and the refusals that were heard."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.refusals: list[str] = []
        self.messages: list[str] = []

    def meet(self, name: str, secret: str) -> str:
        """Remember the secret and return it."""
        self.secrets[name] = secret
        return secret

    def hear(self, answer: Any) -> None:
        """Keep what a refusal says."""
        assert 400 <= answer.status_code < 500, answer.content
        self.refusals.append(f"{answer.headers} {answer.content.decode()}")


@pytest.fixture
def dump() -> Any:
    """`dump()` is the whole database as `pg_dump` writes it."""

    def run() -> str:
        database = connection.settings_dict
        command = [
            *(str(postgres_folder() / "pg_dump"), "--host", database["HOST"], "--port", str(database["PORT"] or 5432)),
            *("--username", database["USER"], "--dbname", database["NAME"]),
        ]
        environment = {**os.environ, "PGPASSWORD": database["PASSWORD"] or ""}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    return run


def test_no_secret_outlives_its_request(
    transactional_db: None,
    owner: User,
    admin: User,
    client_of: ClientOf,
    anonymous: Client,
    broker: Connection,
    celery_app: Celery,
    smtp_sink: SmtpSink,
    sms_sink: SmsSink,
    dump: Any,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    settings: Any,
) -> None:
    settings.RATE_LIMIT_SCALE = 1000
    walk = Walk()

    def work() -> None:
        while relay.relay_due_rows(broker):
            consume(broker, celery_app, seen=walk.messages)

    _be_invited(walk, client_of(admin), anonymous, smtp_sink, work)
    _enrol_and_sign_in(walk, owner, client_of(owner), anonymous)
    _make_a_token_and_prove_a_number(walk, client_of(owner), anonymous, sms_sink, work)
    _forget_the_password(walk, owner, anonymous, smtp_sink, work)
    work()

    places = {
        "logs": caplog.text + "".join(capfd.readouterr()),
        "broker": "\n".join(walk.messages),
        "refusals": "\n".join(walk.refusals),
        "dump": dump(),
    }
    found = [(name, place) for name, secret in walk.secrets.items() for place, text in places.items() if secret in text]
    assert found == []
    assert len(walk.secrets) == 17
    # Each place was really searched.
    assert "/api/v1/auth/mfa/verify" in places["logs"]
    assert "accounts.tasks" in places["broker"] or "core.tasks" in places["broker"]
    assert "INVALID_CREDENTIALS" in places["refusals"]
    assert owner.email in places["dump"]


def _be_invited(walk: Walk, staff: Client, anonymous: Client, smtp_sink: SmtpSink, work: Any) -> None:
    staff.post("/api/v1/users", {"email": GUEST, "name": "Gina Guest", "invite": True}, "application/json")
    work()
    token = walk.meet("invitation", smtp_sink.token_sent_to(GUEST))
    password = walk.meet("weak password", "canary1234567890canary" * 9)
    walk.hear(anonymous.post("/api/v1/auth/reset-password", {"token": token, "password": password}))
    anonymous.post("/api/v1/auth/reset-password", {"token": token, "password": walk.meet("password", NEW_PASSWORD)})
    walk.hear(anonymous.post("/api/v1/auth/reset-password", {"token": token, "password": NEW_PASSWORD}))


def _enrol_and_sign_in(walk: Walk, owner: User, client: Client, anonymous: Client) -> None:
    seed = walk.meet("seed", client.post("/api/v1/auth/mfa/totp").json()["data"]["secret"])
    phone = Phone(seed, [])
    walk.hear(client.post("/api/v1/auth/mfa/totp/confirm", {"code": walk.meet("wrong code", "canary-code")}))
    codes = client.post("/api/v1/auth/mfa/totp/confirm", {"code": phone.code(-1)}).json()["data"]["recovery_codes"]
    walk.meet("recovery code", codes[0])
    walk.meet("unused recovery code", codes[1])
    walk.hear(sign_in(anonymous, owner.email, password=walk.meet("wrong password", "canary-wrong-horse")))
    walk.hear(verify(anonymous, walk.meet("mfa token", mfa_token_of(anonymous, owner)), "canary-wrong-code"))
    opened = verify(anonymous, walk.meet("spent mfa token", mfa_token_of(anonymous, owner)), codes[0], "recovery_code")
    pair = opened.json()["data"]
    walk.meet("access token", pair["access_token"])
    walk.meet("refresh token", pair["refresh_token"])
    walk.meet("device token", opened.cookies["nook_device"].value)
    anonymous.post("/api/v1/auth/refresh-token", {"refresh_token": pair["refresh_token"]})
    walk.meet("open mfa token", issue_challenge(user=owner, amr=["pwd"], device_token="").mfa_token)


def _make_a_token_and_prove_a_number(
    walk: Walk, client: Client, anonymous: Client, sms_sink: SmsSink, work: Any
) -> None:
    made = client.post("/api/v1/auth/api-tokens", {"name": "Script", "scopes": ["read:resource"]})
    token = walk.meet("api token", made.json()["data"]["token"])
    anonymous.get("/api/v1/users/me", headers=bearer(token))
    walk.hear(anonymous.delete("/api/v1/profile", headers=bearer(token)))
    client.patch("/api/v1/profile", {"phone": NUMBER})
    work()
    walk.hear(client.post("/api/v1/profile/phone/confirm", {"code": "000000"}))
    client.post("/api/v1/profile/phone/confirm", {"code": sms_sink.code_sent_to(NUMBER)})


def _forget_the_password(walk: Walk, owner: User, anonymous: Client, smtp_sink: SmtpSink, work: Any) -> None:
    anonymous.post("/api/v1/auth/forgot-password", {"email": owner.email})
    work()
    walk.meet("reset", smtp_sink.token_sent_to(owner.email))
    walk.meet("present password", PASSWORD)
