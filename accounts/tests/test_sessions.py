"""Logging out, everywhere too; the list of one's sessions; proving again who one is."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from django.test import Client

from accounts.models import Session, User
from accounts.services.sessions import purge_devices, purge_sessions
from accounts.tests.answers import (
    INVALID_CREDENTIALS,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    SESSION_REVOKED,
    ClientOf,
    bearer,
    error_of,
    tables,
    tokens_of,
)
from accounts.tests.factories import PASSWORD, access_token_of, create_session
from core.tests.spine import Events


def test_logging_out_ends_this_session_at_once(
    owner: User, anonymous: Client, client_of: ClientOf, events: Events
) -> None:
    tokens, elsewhere = tokens_of(anonymous, owner), client_of(owner)

    answer = anonymous.post("/api/v1/auth/logout", headers=bearer(tokens["access_token"]))

    again = anonymous.get("/api/v1/users/me", headers=bearer(tokens["access_token"]))
    refreshed = anonymous.post("/api/v1/auth/refresh-token", {"refresh_token": tokens["refresh_token"]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert error_of(again) == SESSION_REVOKED
    assert error_of(refreshed) == SESSION_REVOKED
    assert elsewhere.get("/api/v1/users/me").status_code == 200
    assert [event.payload for event in events("session.revoked")] == [{"reason": "signed_out"}]


def test_logging_out_everywhere_ends_every_session_of_oneself(
    owner: User, stranger: User, client_of: ClientOf, events: Events
) -> None:
    here, elsewhere, another = client_of(owner), client_of(owner), client_of(stranger)

    answer = here.post("/api/v1/auth/logout-all")

    assert answer.status_code == 204
    assert error_of(here.get("/api/v1/users/me")) == SESSION_REVOKED
    assert error_of(elsewhere.get("/api/v1/users/me")) == SESSION_REVOKED
    assert another.get("/api/v1/users/me").status_code == 200
    assert len(events("session.revoked")) == 2


def test_the_list_shows_ones_own_live_sessions(owner: User, stranger: User, client_of: ClientOf) -> None:
    create_session(stranger)
    older = create_session(owner)
    Session.objects.filter(pk=create_session(owner).pk).update(revoked_at=datetime.now(UTC))
    Session.objects.filter(pk=create_session(owner).pk).update(expires_at=datetime.now(UTC))

    body = client_of(owner).get("/api/v1/auth/sessions").json()

    assert [(row["id"] == str(older.pk), row["current"]) for row in body["data"]] == [(False, True), (True, False)]
    assert body["data"][0].keys() == {
        "id",
        "created_at",
        "last_seen_at",
        "expires_at",
        "ip",
        "user_agent",
        "device",
        "current",
    }
    assert body["meta"] == {"page": 1, "per_page": 20, "total": 2, "total_pages": 1}


def test_one_of_ones_sessions_can_be_ended(owner: User, client_of: ClientOf) -> None:
    session = create_session(owner)
    lost_phone = access_token_of(session)

    answer = client_of(owner).delete(f"/api/v1/auth/sessions/{session.pk}")

    assert answer.status_code == 204
    assert error_of(Client().get("/api/v1/users/me", headers=bearer(lost_phone))) == SESSION_REVOKED


@pytest.mark.parametrize("whose", ["stranger", "nobody", "ended"])
def test_no_other_session_can_be_ended(owner: User, admin: User, client_of: ClientOf, whose: str) -> None:
    client = client_of(admin)
    session = create_session(admin if whose == "ended" else owner)
    if whose == "ended":
        Session.objects.filter(pk=session.pk).update(revoked_at=datetime.now(UTC))
    before = tables()

    answer = client.delete(f"/api/v1/auth/sessions/{uuid4() if whose == 'nobody' else session.pk}")

    assert error_of(answer) == NOT_FOUND
    assert tables() == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/v1/auth/logout"),
        ("post", "/api/v1/auth/logout-all"),
        ("post", "/api/v1/auth/reauthenticate"),
        ("get", "/api/v1/auth/sessions"),
        ("delete", "/api/v1/auth/sessions/01a1fbd6-1f3e-7c22-9d0a-52d3a8f0c1b7"),
    ],
)
def test_sessions_are_for_those_who_are_signed_in(db: None, anonymous: Client, method: str, path: str) -> None:
    answer = getattr(anonymous, method)(path)

    assert error_of(answer) == NOT_AUTHENTICATED
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_password_gives_a_token_with_a_fresh_sign_in_time(owner: User, events: Events) -> None:
    session = create_session(owner, authenticated_at=datetime.now(UTC) - timedelta(hours=1))
    client = Client(headers=bearer(access_token_of(session)))

    answer = client.post("/api/v1/auth/reauthenticate", {"password": PASSWORD}, "application/json")

    data = answer.json()["data"]
    claims = jwt.decode(data["access_token"], options={"verify_signature": False})
    assert data.keys() == {"access_token", "token_type", "expires_in"}
    assert claims["sid"] == str(session.pk)
    assert abs(claims["auth_time"] - datetime.now(UTC).timestamp()) < 5
    assert [event.type for event in events("session.*")] == ["session.reauthenticated"]


def test_a_wrong_password_gives_none(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.post("/api/v1/auth/reauthenticate", {"password": "wrong-horse-battery"})

    assert error_of(answer) == INVALID_CREDENTIALS
    assert tables() == before


def test_sessions_and_devices_are_purged_when_nothing_can_refer_to_them(owner: User, anonymous: Client) -> None:
    tokens_of(anonymous, owner)
    kept = (purge_sessions(), purge_devices())
    Session.objects.update(expires_at=datetime.now(UTC) - timedelta(days=31))
    owner.known_devices.update(last_seen_at=datetime.now(UTC) - timedelta(days=366))

    assert kept == (0, 0)
    assert (purge_sessions(), purge_devices()) == (1, 1)
