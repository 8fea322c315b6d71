"""Roles that demand two-factor sign-in: what a session without a second factor may do until it has one."""

from typing import Any

import pytest
from django.test import Client

from accounts import identity, token_identity
from accounts.models import Role, Session, User
from accounts.tests.answers import ClientOf, bearer, error_of, refusal, tables
from accounts.tests.factories import create_session
from accounts.tests.mfa import give_phone
from core.tests.spine import Events

REQUIRED = refusal(
    403, "MFA_ENROLLMENT_REQUIRED", "Your role demands two-factor sign-in: set it up, or confirm with a code."
)


@pytest.fixture
def demanding(settings: Any) -> None:
    settings.MFA_REQUIRED_ROLES = ["admin", "moderator"]


def test_a_role_that_demands_it_gets_little_until_it_is_set_up(
    demanding: None, admin: User, client_of: ClientOf
) -> None:
    client = client_of(admin)
    before = tables()

    refused = [client.get("/api/v1/users"), client.get("/api/v1/resources"), client.get("/api/v1/profile")]
    refused.append(client.post("/api/v1/roles", {"name": "new"}))

    assert [error_of(answer) for answer in refused] == [REQUIRED] * 4
    assert tables() == before
    assert client.get("/api/v1/users/me").status_code == 200
    assert client.post("/api/v1/auth/logout").status_code == 204


def test_a_role_that_does_not_demand_it_is_left_alone(demanding: None, owner: User, client_of: ClientOf) -> None:
    assert client_of(owner).get("/api/v1/profile").status_code == 200


def test_a_session_with_a_second_factor_is_let_in(demanding: None, admin: User, client_of: ClientOf) -> None:
    give_phone(admin)
    client = client_of(admin)
    Session.objects.update(amr=["pwd", "otp", "mfa"])

    assert client.get("/api/v1/users").status_code == 200


def test_a_mark_on_the_role_holds_from_the_next_request_on(admin: User, owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    assert client.get("/api/v1/profile").status_code == 200
    role = Role.objects.get(name="user")

    assert client_of(admin).patch(f"/api/v1/roles/{role.pk}", {"require_mfa": True}).status_code == 200

    assert error_of(client.get("/api/v1/profile")) == REQUIRED


def test_a_session_from_before_the_second_factor_confirms_with_a_code(
    demanding: None, admin: User, client_of: ClientOf, events: Events
) -> None:
    phone, client = give_phone(admin), client_of(admin)
    assert error_of(client.get("/api/v1/users")) == REQUIRED

    answer = client.post("/api/v1/auth/reauthenticate", {"code": phone.code()})

    assert answer.status_code == 200
    assert client.get("/api/v1/users").status_code == 200
    assert Session.objects.get().amr == ["pwd", "otp", "mfa"]
    assert len(events("session.reauthenticated")) == 1


def test_a_stream_of_events_is_closed_to_it_too(demanding: None, admin: User, client_of: ClientOf) -> None:
    assert error_of(client_of(admin).get("/api/v1/events/stream")) == REQUIRED


def test_a_token_made_without_a_second_factor_does_not_stand_for_one(
    demanding: None, admin: User, client_of: ClientOf, anonymous: Client, settings: Any
) -> None:
    settings.MFA_REQUIRED_ROLES = []
    made = client_of(admin).post("/api/v1/auth/api-tokens", {"name": "script", "scopes": ["read:user"]})
    script = bearer(made.json()["data"]["token"])
    assert anonymous.get("/api/v1/users", headers=script).status_code == 200

    settings.MFA_REQUIRED_ROLES = ["admin"]
    identity.forget_everyone()
    token_identity._snapshots.clear()

    assert error_of(anonymous.get("/api/v1/users", headers=script)) == REQUIRED


def test_whoever_is_anonymous_is_not_asked_for_it(demanding: None, anonymous: Client, db: None) -> None:
    assert anonymous.get("/api/v1/resources").status_code == 200


def test_a_session_of_the_cast_has_no_second_factor(owner: User) -> None:
    assert create_session(owner).amr == ["pwd"]
