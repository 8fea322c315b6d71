"""No password, token or link is readable in any table, event, promised task or log line."""

from base64 import b64encode
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import TotpDevice, User
from accounts.tests.answers import ClientOf, bearer, sign_in
from accounts.tests.factories import PASSWORD
from accounts.tests.mfa import Phone, give_phone, mfa_token_of, verify
from core.tests.spine import Drain
from notifications.tests.smtp import SmtpSink

ADDRESS = "new@example.com"
NEW_PASSWORD = "a-new-horse-and-battery"


def everything_stored() -> str:
    """Return every row of every table as text."""
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        found = []
        for name in names:
            cursor.execute(f'SELECT "{name}"::text FROM "{name}"')  # noqa: S608  # names from the catalogue
            found += [str(row) for (row,) in cursor.fetchall()]
    return "\n".join(found)


def test_the_secrets_of_second_factors_are_kept_nowhere(
    owner: User,
    client_of: ClientOf,
    anonymous: Client,
    drain: Drain,
    smtp_sink: SmtpSink,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    client = client_of(owner)
    phone = Phone(client.post("/api/v1/auth/mfa/totp").json()["data"]["secret"], [])
    confirmed = client.post("/api/v1/auth/mfa/totp/confirm", {"code": phone.code(-1)}).json()["data"]
    verify(anonymous, wrong := mfa_token_of(anonymous, owner), confirmed["recovery_codes"][1], "totp")
    opened = verify(anonymous, token := mfa_token_of(anonymous, owner), phone.code())
    verify(anonymous, mfa_token_of(anonymous, owner), confirmed["recovery_codes"][0], "recovery_code")
    stored = [everything_stored()]
    drain()
    stored.append(everything_stored())

    secrets = {"seed": phone.secret, "wrong token": wrong, "token": token}
    secrets |= {f"recovery code {number}": code for number, code in enumerate(confirmed["recovery_codes"])}
    logged = caplog.text + "".join(capfd.readouterr()) + "".join(map(str, smtp_sink.mails))
    assert opened.status_code == 200
    assert [name for name, secret in secrets.items() if secret in "\n".join(stored)] == []
    assert [name for name, secret in secrets.items() if secret in logged] == []


def test_the_seed_of_an_app_is_sealed_with_the_new_key(owner: User, settings: Any) -> None:
    phone = give_phone(owner)
    new_key = f"new:{b64encode(bytes(range(32))).decode()}"
    settings.ENCRYPTION_KEYS = f"{new_key},{settings.ENCRYPTION_KEYS}"

    call_command("rotate_keys", stdout=StringIO())

    settings.ENCRYPTION_KEYS = new_key
    assert TotpDevice.objects.get().secret == phone.secret


def test_secrets_are_kept_nowhere(
    db: None,
    anonymous: Client,
    drain: Drain,
    smtp_sink: SmtpSink,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    secrets = {"password": PASSWORD, "new password": NEW_PASSWORD}

    anonymous.post("/api/v1/auth/register", {"email": ADDRESS, "password": PASSWORD, "name": "Nina"})
    stored = [everything_stored()]
    drain()
    secrets["verification"] = smtp_sink.token_sent_to(ADDRESS)
    anonymous.post("/api/v1/auth/verify-email", {"token": secrets["verification"]})
    drain()
    signed_in = sign_in(anonymous, ADDRESS)
    secrets["device"] = signed_in.cookies["nook_device"].value
    secrets["refresh"] = signed_in.json()["data"]["refresh_token"]
    secrets["access"] = signed_in.json()["data"]["access_token"]
    keyed = {"Idempotency-Key": "once"}
    refreshed = anonymous.post("/api/v1/auth/refresh-token", {"refresh_token": secrets["refresh"]}, headers=keyed)
    secrets["next refresh"] = refreshed.json()["data"]["refresh_token"]
    anonymous.post("/api/v1/auth/reauthenticate", {"password": PASSWORD + "x"}, headers=bearer(secrets["access"]))
    anonymous.post("/api/v1/auth/forgot-password", {"email": ADDRESS})
    drain()
    secrets["reset"] = smtp_sink.token_sent_to(ADDRESS)
    anonymous.post("/api/v1/auth/reset-password", {"token": secrets["reset"], "password": NEW_PASSWORD})
    stored.append(everything_stored())
    leaving = bearer(sign_in(anonymous, ADDRESS, password=NEW_PASSWORD).json()["data"]["access_token"])
    made = anonymous.post("/api/v1/auth/api-tokens", {"name": "Script", "scopes": ["read:resource"]}, headers=leaving)
    secrets["api token"] = made.json()["data"]["token"]
    anonymous.get("/api/v1/users/me", headers=bearer(secrets["api token"]))
    anonymous.delete("/api/v1/profile", headers=leaving)
    drain()
    secrets["restore"] = smtp_sink.token_sent_to(ADDRESS)
    secrets["refused"] = secrets["restore"][:-1] + ("A" if secrets["restore"][-1] != "A" else "B")
    refusal = anonymous.post("/api/v1/auth/restore-account", {"token": secrets["refused"]})
    stored += [everything_stored(), refusal.content.decode()]
    anonymous.post("/api/v1/auth/restore-account", {"token": secrets["restore"]})
    stored.append(everything_stored())

    logged = caplog.text + "".join(capfd.readouterr())
    assert [name for name, secret in secrets.items() if secret in "\n".join(stored)] == []
    assert [name for name, secret in secrets.items() if secret in logged] == []
    assert ADDRESS in stored[-1]
    assert "/api/v1/auth/reset-password" in logged
