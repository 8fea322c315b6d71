"""/users, /users/me, /users/{id}: who sees and writes what of whom."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.tests.answers import (
    NOT_AUTHENTICATED,
    NOT_FOUND,
    PERMISSION_DENIED,
    SESSION_REVOKED,
    ClientOf,
    error_of,
    invalid,
    kinds_sent_to,
    refusal,
    sign_in,
    tables,
)
from accounts.tests.factories import PASSWORD, create_user
from core.tests.spine import Drain, Events
from notifications.tests.smtp import SmtpSink

PATH = "/api/v1/users"
FIELDS = [
    "id",
    "email",
    "name",
    "role",
    "is_active",
    "email_verified",
    "avatar",
    "locale",
    "time_zone",
    "mfa_enabled",
    "last_login_at",
    "created_at",
    "updated_at",
]
LAST_ADMIN = refusal(409, "CONFLICT", "There has to be an administrator who can sign in; this is the last one.")
HOLDS_MORE = refusal(403, "PERMISSION_DENIED", "This account (or role) holds more than you do.")
TAKEN = refusal(
    409,
    "CONFLICT",
    "The present state does not allow this.",
    ("email", "unique", "This address belongs to an account already."),
)


def of(user: User) -> str:
    return f"{PATH}/{user.pk}"


def admin_only(*fields: str) -> dict[str, Any]:
    details = [(field, "admin_only", "Only an administrator may set this.") for field in fields]
    return refusal(403, "PERMISSION_DENIED", "You may not do this.", *details)


@pytest.fixture
def editor(db: None) -> User:
    """Staff with every right over users but `admin`."""
    Role.objects.create(name="editor", permissions=["read:user", "write:user", "delete:user"])
    return create_user("editor", email="editor@example.com", name="Eddie Editor")


# Reading ---------------------------------------------------------------------------------------


def test_me_shows_oneself_with_permissions(moderator: User, client_of: ClientOf) -> None:
    answer = client_of(moderator).get(f"{PATH}/me")

    data = answer.json()["data"]
    assert list(data) == [*FIELDS, "permissions"]
    assert (data["id"], data["role"]) == (str(moderator.pk), "moderator")
    assert data["permissions"] == ["read:resource", "read:role", "read:user", "write:resource", "write:user"]
    assert answer.headers["ETag"] == '"1.1"'


def test_me_spells_out_what_admin_holds(admin: User, client_of: ClientOf) -> None:
    Role.objects.filter(name="admin").update(permissions=["admin"])

    data = client_of(admin).get(f"{PATH}/me").json()["data"]

    assert "delete:user" in data["permissions"]
    assert "admin" in data["permissions"]


def test_me_is_for_those_who_are_signed_in(db: None, anonymous: Client) -> None:
    assert error_of(anonymous.get(f"{PATH}/me")) == NOT_AUTHENTICATED


def test_staff_and_oneself_see_the_whole_user(owner: User, moderator: User, client_of: ClientOf) -> None:
    for reader in (owner, moderator):
        answer = client_of(reader).get(of(owner))

        assert list(answer.json()["data"]) == FIELDS
        assert answer.headers["ETag"] == '"1"'


def test_others_see_a_name(owner: User, stranger: User, client_of: ClientOf) -> None:
    answer = client_of(stranger).get(of(owner))

    assert answer.json()["data"] == {"id": str(owner.pk), "name": "Olive Owner", "avatar": None}


def test_an_unchanged_user_is_not_sent_again(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)

    answer = client.get(of(owner), headers={"If-None-Match": '"1"'})

    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize("which", ["unknown", "deleted"])
def test_there_is_no_such_user(owner: User, admin: User, client_of: ClientOf, which: str) -> None:
    if which == "deleted":
        User.objects.filter(pk=owner.pk).update(deleted_at=datetime.now(UTC))
    client = client_of(admin)

    answers = [
        client.get(f"{PATH}/{uuid4() if which == 'unknown' else owner.pk}"),
        client.patch(f"{PATH}/{uuid4() if which == 'unknown' else owner.pk}", {"name": "X"}),
        client.delete(f"{PATH}/{uuid4() if which == 'unknown' else owner.pk}"),
    ]

    assert [error_of(answer) for answer in answers] == [NOT_FOUND] * 3


def test_the_list_is_for_staff(owner: User, anonymous: Client, client_of: ClientOf) -> None:
    assert error_of(anonymous.get(PATH)) == NOT_AUTHENTICATED
    assert error_of(client_of(owner).get(PATH)) == PERMISSION_DENIED


def test_the_list_shows_newest_first_in_pages(
    owner: User, stranger: User, moderator: User, client_of: ClientOf
) -> None:
    body = client_of(moderator).get(f"{PATH}?per_page=2").json()

    assert [row["email"] for row in body["data"]] == [moderator.email, stranger.email]
    assert body["meta"] == {"page": 1, "per_page": 2, "total": 3, "total_pages": 2}


def test_a_cursor_walks_the_whole_list(owner: User, stranger: User, moderator: User, client_of: ClientOf) -> None:
    client, found = client_of(moderator), []
    body = client.get(f"{PATH}?per_page=1&sort=name&cursor=").json()
    while body["data"]:
        found += [row["name"] for row in body["data"]]
        following = body["meta"]["next_cursor"]
        if following is None:
            break
        body = client.get(f"{PATH}?per_page=1&sort=name&cursor={following}").json()

    assert found == ["Mo Moderator", "Olive Owner", "Sam Stranger"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"email": "OWNER@example.com"}, ["owner@example.com"]),
        ({"role": "moderator"}, ["moderator@example.com"]),
        ({"is_active": "false"}, ["stranger@example.com"]),
        ({"is_active": "true", "role": "user"}, ["owner@example.com"]),
        ({"q": "IVE OW"}, ["owner@example.com"]),
        ({"q": "stranger@"}, ["stranger@example.com"]),
        ({"q": "100%"}, []),
        ({"created_after": "2999-01-01T00:00:00Z"}, []),
        ({"created_before": "2000-01-01T00:00:00Z"}, []),
        ({"created_after": "2000-01-01T00:00:00Z", "role": "moderator"}, ["moderator@example.com"]),
    ],
    ids=str,
)
def test_the_list_is_filtered(
    owner: User, stranger: User, moderator: User, client_of: ClientOf, query: dict[str, str], found: list[str]
) -> None:
    User.objects.filter(pk=stranger.pk).update(is_active=False)

    body = client_of(moderator).get(PATH, query).json()

    assert [row["email"] for row in body["data"]] == found


def test_the_list_trims_its_items(moderator: User, client_of: ClientOf) -> None:
    body = client_of(moderator).get(f"{PATH}?fields=email,role").json()

    assert body["data"] == [{"email": moderator.email, "role": "moderator"}]


@pytest.mark.parametrize("query", ["page=0", "sort=password", "fields=password", "colour=red", "is_active=maybe"])
def test_the_list_refuses_what_it_does_not_know(moderator: User, client_of: ClientOf, query: str) -> None:
    assert client_of(moderator).get(f"{PATH}?{query}").status_code == 400


@pytest.mark.parametrize("people", [1, 12])
def test_the_list_costs_two_queries(
    moderator: User, client_of: ClientOf, django_assert_num_queries: Any, people: int
) -> None:
    for _ in range(people):
        create_user()
    client = client_of(moderator)
    client.get(f"{PATH}/me")

    with django_assert_num_queries(2):
        client.get(PATH)


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


def test_an_invited_user_sets_a_password_by_a_mailed_link(
    moderator: User, anonymous: Client, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    client_of(moderator).post(PATH, {"email": "new@example.com", "name": "Nina", "invite": True})
    drain()
    token = smtp_sink.token_sent_to("new@example.com")

    anonymous.post("/api/v1/auth/reset-password", {"token": token, "password": PASSWORD})

    assert sign_in(anonymous, "new@example.com").status_code == 200


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


def test_ones_own_address_is_changed_through_its_journey(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.patch(of(owner), {"email": "new@example.com"})

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


# Deleting and restoring ------------------------------------------------------------------------


def test_a_deleted_user_is_gone_and_comes_back(
    owner: User, admin: User, anonymous: Client, client_of: ClientOf, events: Events
) -> None:
    client, staff = client_of(owner), client_of(admin)

    deleted = staff.delete(of(owner))
    gone = staff.get(of(owner))
    restored = staff.post(f"{of(owner)}/restore")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert error_of(gone) == NOT_FOUND
    assert (restored.status_code, restored.json()["data"]["email"]) == (200, owner.email)
    assert error_of(client.get(f"{PATH}/me")) == SESSION_REVOKED
    assert sign_in(anonymous, owner.email).status_code == 200
    assert [event.type for event in events("user.*")] == ["user.deleted", "user.restored"]


@pytest.mark.parametrize("who", ["stranger", "moderator", "owner"])
def test_deleting_and_restoring_need_their_permission(
    request: pytest.FixtureRequest, owner: User, client_of: ClientOf, who: str
) -> None:
    client = client_of(request.getfixturevalue(who))
    before = tables()

    answers = [client.delete(of(owner)), client.post(f"{of(owner)}/restore")]

    assert [error_of(answer) for answer in answers] == [PERMISSION_DENIED] * 2
    assert tables() == before


def test_staff_do_not_delete_who_holds_more(editor: User, admin: User, client_of: ClientOf) -> None:
    client = client_of(editor)
    before = tables()

    answer = client.delete(of(admin))

    assert error_of(answer) == HOLDS_MORE
    assert tables() == before


def test_the_last_administrator_is_not_deleted(admin: User, client_of: ClientOf) -> None:
    client = client_of(admin)
    before = tables()

    answer = client.delete(of(admin))

    assert error_of(answer) == LAST_ADMIN
    assert tables() == before


def test_a_user_whose_address_was_given_away_does_not_come_back(owner: User, admin: User, client_of: ClientOf) -> None:
    client = client_of(admin)
    client.delete(of(owner))
    create_user(email=owner.email)
    before = tables()

    answer = client.post(f"{of(owner)}/restore")

    assert error_of(answer) == TAKEN
    assert tables() == before


def test_a_user_who_was_never_deleted_is_not_restored(owner: User, admin: User, client_of: ClientOf) -> None:
    assert error_of(client_of(admin).post(f"{of(owner)}/restore")) == NOT_FOUND


def test_times_are_those_of_the_database(owner: User, client_of: ClientOf) -> None:
    data = client_of(owner).get(of(owner)).json()["data"]

    assert data["created_at"].endswith("Z")
    assert abs(datetime.fromisoformat(data["created_at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert kinds_sent_to(owner.email) == []
