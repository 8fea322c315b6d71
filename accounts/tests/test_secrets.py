"""No password, token or link is readable in any table, event, promised task or log line."""

import pytest
from django.db import connection
from django.test import Client

from accounts.tests.answers import bearer, sign_in
from accounts.tests.factories import PASSWORD
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

    logged = caplog.text + "".join(capfd.readouterr())
    assert [name for name, secret in secrets.items() if secret in "\n".join(stored)] == []
    assert [name for name, secret in secrets.items() if secret in logged] == []
    assert ADDRESS in stored[-1]
    assert "/api/v1/auth/reset-password" in logged
