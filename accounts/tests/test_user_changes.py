"""POST /users, PUT and PATCH /users/{id}: who writes what of whom."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.answers import (
    NOT_AUTHENTICATED,
    PERMISSION_DENIED,
    SESSION_REVOKED,
    ClientOf,
    error_of,
    invalid,
    refusal,
    tables,
)
from accounts.tests.factories import PASSWORD, create_user
from accounts.tests.user_answers import FIELDS, HOLDS_MORE, LAST_ADMIN, PATH, TAKEN, admin_only, of
from core.tests.spine import Events

# Creating --------------------------------------------------------------------------------------


def test_staff_create_a_user_with_a_password(
    moderator: User, anonymous: Client, client_of: ClientOf, events: Events
) -> None:
    answer = client_of(moderator).post(PATH, {"email": "New@example.com", "name": "Nina", "password": PASSWORD})

    user = User.objects.get(email="new@example.com")
    assert answer.status_code == 201
    assert answer.headers["Location"] == of(user)
    assert (answer.headers["ETag"], list(answer.json()["data"])) == ('"1"', FIELDS)
    assert (user.role_name, user.is_active, user.email_verified) == ("user", True, False)
    assert [(event.actor, event.subject_id) for event in events("user.created")] == [(moderator.pk, str(user.pk))]


def test_an_administrator_sets_everything(admin: User, client_of: ClientOf) -> None:
    body = {"email": "new@example.com", "name": "N", "password": PASSWORD, "role": "moderator", "email_verified": True}

    data = client_of(admin).post(PATH, body).json()["data"]

    assert (data["role"], data["email_verified"]) == ("moderator", True)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"role": "admin"}, admin_only("role")),
        ({"role": "moderator", "email_verified": True}, admin_only("role", "email_verified")),
        ({"is_active": False}, admin_only("is_active")),
        ({"email": "OWNER@example.com"}, TAKEN),
        ({"password": "password123"}, invalid(("password", "password_too_common", "This password is too common."))),
        ({"invite": True}, invalid(("password", "required", "Give a password, or invite: true."))),
    ],
    ids=str,
)
def test_a_refused_creation_creates_nothing(
    owner: User, moderator: User, client_of: ClientOf, change: dict[str, Any], error: dict[str, Any]
) -> None:
    client = client_of(moderator)
    before = tables()

    answer = client.post(PATH, {"email": "new@example.com", "name": "N", "password": PASSWORD, **change})

    assert error_of(answer) == error
    assert tables() == before


def test_creating_is_for_staff(owner: User, anonymous: Client, client_of: ClientOf) -> None:
    body = {"email": "new@example.com", "name": "N", "password": PASSWORD}

    assert error_of(anonymous.post(PATH, body)) == NOT_AUTHENTICATED
    assert error_of(client_of(owner).post(PATH, body)) == PERMISSION_DENIED
    assert User.objects.count() == 1


def test_a_role_that_does_not_exist_is_refused(admin: User, client_of: ClientOf) -> None:
    body = {"email": "new@example.com", "name": "N", "password": PASSWORD, "role": "emperor"}

    answer = client_of(admin).post(PATH, body)

    assert error_of(answer) == invalid(("role", "unknown_role", "There is no role of this name."))
    assert User.objects.count() == 1


# Changing --------------------------------------------------------------------------------------


def test_one_changes_ones_own_name(owner: User, client_of: ClientOf, events: Events) -> None:
    answer = client_of(owner).patch(of(owner), {"name": "Olive O."})

    assert (answer.status_code, answer.json()["data"]["name"]) == (200, "Olive O.")
    assert answer.headers["ETag"] == '"2"'
    assert [(event.type, event.actor, event.payload) for event in events()] == [
        ("user.updated", owner.pk, {"before": {"name": "Olive Owner"}, "after": {"name": "Olive O."}})
    ]


def test_what_was_read_can_be_changed_and_sent_back_whole(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    read = client.get(of(owner)).json()["data"]

    answer = client.put(of(owner), {**read, "time_zone": "Europe/Vienna"})

    assert answer.status_code == 200
    assert answer.json()["data"] == {
        **read,
        "time_zone": "Europe/Vienna",
        "updated_at": answer.json()["data"]["updated_at"],
    }


def test_a_change_of_nothing_is_no_change(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.patch(of(owner), {"name": "Olive Owner", "role": "user"})

    assert answer.status_code == 200
    assert tables() == before


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"role": "admin"}, ["role"]),
        ({"is_active": False}, ["is_active"]),
        ({"email_verified": False, "name": "X"}, ["email_verified"]),
        ({"role": "moderator", "is_active": False}, ["is_active", "role"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("who", ["owner", "moderator"])
def test_what_needs_an_administrator_is_named(
    request: pytest.FixtureRequest,
    owner: User,
    moderator: User,
    client_of: ClientOf,
    who: str,
    change: dict[str, Any],
    fields: list[str],
) -> None:
    client = client_of(request.getfixturevalue(who))
    before = tables()

    answer = client.patch(of(owner), change)

    assert error_of(answer) == admin_only(*fields)
    assert tables() == before


@pytest.mark.parametrize("who", ["owner", "admin"])
def test_ones_own_address_is_changed_through_its_journey(
    db: None, request: pytest.FixtureRequest, client_of: ClientOf, who: str
) -> None:
    person = request.getfixturevalue(who)
    client = client_of(person)
    before = tables()

    answer = client.patch(of(person), {"email": "new@example.com"})

    assert error_of(answer) == refusal(
        403,
        "PERMISSION_DENIED",
        "You may not do this.",
        ("email", "admin_only", "Change your own address through /auth/change-email."),
    )
    assert tables() == before


def test_staff_change_the_name_of_others(owner: User, moderator: User, client_of: ClientOf) -> None:
    answer = client_of(moderator).patch(of(owner), {"name": "Corrected"})

    assert answer.json()["data"]["name"] == "Corrected"


@pytest.mark.parametrize("method", ["patch", "put"])
def test_strangers_change_nobody(owner: User, stranger: User, client_of: ClientOf, method: str) -> None:
    client = client_of(stranger)
    before = tables()

    answer = getattr(client, method)(of(owner), {**client_of(owner).get(of(owner)).json()["data"], "name": "X"})

    assert error_of(answer) == PERMISSION_DENIED
    assert tables()["users"] == before["users"]


def test_nobody_reaches_above_themself(moderator: User, admin: User, client_of: ClientOf) -> None:
    client = client_of(moderator)
    before = tables()

    answer = client.patch(of(admin), {"name": "X"})

    assert error_of(answer) == HOLDS_MORE
    assert tables() == before


def test_an_administrator_gives_a_role_and_it_holds_at_once(owner: User, admin: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    before = client.get(PATH).status_code

    answer = client_of(admin).patch(of(owner), {"role": "moderator"})

    assert (before, answer.json()["data"]["role"]) == (403, "moderator")
    assert client.get(PATH).status_code == 200


def test_a_disabled_user_is_signed_out_at_once(owner: User, admin: User, client_of: ClientOf, events: Events) -> None:
    client = client_of(owner)

    client_of(admin).patch(of(owner), {"is_active": False})

    assert error_of(client.get(f"{PATH}/me")) == SESSION_REVOKED
    assert [event.type for event in events()] == ["user.updated", "session.revoked"]


def test_an_address_that_belongs_to_somebody_is_a_conflict(
    owner: User, stranger: User, admin: User, client_of: ClientOf
) -> None:
    client = client_of(admin)
    before = tables()

    answer = client.patch(of(owner), {"email": "Stranger@example.com"})

    assert error_of(answer) == TAKEN
    assert tables() == before


@pytest.mark.parametrize("change", [{"role": "user"}, {"is_active": False}], ids=str)
def test_the_last_administrator_stays_one(admin: User, client_of: ClientOf, change: dict[str, Any]) -> None:
    client = client_of(admin)
    create_user("admin", is_active=False)
    before = tables()

    answer = client.patch(of(admin), change)

    assert error_of(answer) == LAST_ADMIN
    assert tables() == before


def test_one_of_two_administrators_may_go(admin: User, client_of: ClientOf) -> None:
    create_user("admin")

    assert client_of(admin).patch(of(admin), {"role": "user"}).status_code == 200


def test_another_version_is_a_failed_precondition(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    before = tables()

    stale = client.patch(of(owner), {"name": "X"}, headers={"If-Match": '"7"'})
    unchanged = tables() == before
    fresh = client.patch(of(owner), {"name": "X"}, headers={"If-Match": '"1"'})

    assert error_of(stale) == refusal(412, "PRECONDITION_FAILED", "This was changed in the meantime; read it again.")
    assert unchanged
    assert fresh.status_code == 200


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"name": ""}, ("name", "blank", "This field may not be blank.")),
        ({"locale": "klingon!"}, ("locale", "unknown_locale", "Give a language tag such as en or pt-BR.")),
        ({"time_zone": "Mars/Base"}, ("time_zone", "unknown_time_zone", "Give a name such as Europe/Vienna or UTC.")),
        ({"is_active": "yes"}, ("is_active", "invalid", "Must be true or false.")),
        ({"password": "x"}, ("password", "unknown_field", "There is no such field.")),
    ],
    ids=str,
)
def test_a_value_that_is_none_is_refused(
    owner: User, client_of: ClientOf, body: dict[str, Any], detail: tuple[str, str, str]
) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.patch(of(owner), body)

    assert error_of(answer) == invalid(detail)
    assert tables() == before


def test_replacing_takes_the_whole_user(owner: User, client_of: ClientOf) -> None:
    answer = client_of(owner).put(of(owner), {"name": "X"})

    missing = [detail["field"] for detail in answer.json()["error"]["details"]]
    assert (answer.status_code, missing) == (
        400,
        ["email", "role", "is_active", "email_verified", "locale", "time_zone"],
    )
