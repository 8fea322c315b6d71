"""/roles and /permissions."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts.models import Role, User
from accounts.tests.answers import (
    NOT_AUTHENTICATED,
    NOT_FOUND,
    PERMISSION_DENIED,
    ClientOf,
    error_of,
    invalid,
    refusal,
    tables,
)
from accounts.tests.factories import create_user
from core.permissions import PERMISSIONS
from core.tests.spine import Events

PATH = "/api/v1/roles"
EDITOR = {"name": "editor", "description": "Writes.", "permissions": ["write:resource", "read:resource"]}


def conflict(message: str, *details: tuple[str | None, str, str]) -> dict[str, Any]:
    return refusal(409, "CONFLICT", message, *details)


@pytest.fixture
def editor_role(db: None) -> Role:
    """A role that nobody has."""
    return Role.objects.create(name="editor", permissions=["read:resource"])


def of(role: Role) -> str:
    return f"{PATH}/{role.pk}"


def test_three_roles_are_there_from_the_start(moderator: User, client_of: ClientOf) -> None:
    body = client_of(moderator).get(PATH).json()

    assert {row["name"]: row["permissions"] for row in body["data"]} == {
        "user": [],
        "moderator": ["read:user", "write:user", "read:role", "read:resource", "write:resource"],
        "admin": list(PERMISSIONS),
    }


def test_an_administrator_creates_a_role(admin: User, client_of: ClientOf, events: Events) -> None:
    answer = client_of(admin).post(PATH, EDITOR)

    role = Role.objects.get(name="editor")
    data = answer.json()["data"]
    assert (answer.status_code, answer.headers["Location"], answer.headers["ETag"]) == (201, of(role), '"1"')
    assert list(data) == ["id", "name", "description", "permissions", "require_mfa", "created_at", "updated_at"]
    assert (data["permissions"], data["require_mfa"]) == (["read:resource", "write:resource"], False)
    assert [(event.type, event.actor, event.subject_id) for event in events()] == [
        ("role.created", admin.pk, str(role.pk))
    ]


def test_a_new_role_permits_nothing_by_itself(admin: User, client_of: ClientOf) -> None:
    assert client_of(admin).post(PATH, {"name": "guest"}).json()["data"]["permissions"] == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"name": "x", "permissions": ["read:user", "fly", "read:user "]},
            invalid(("permissions.1", "unknown_permission", "There is no permission 'fly'.")),
        ),
        (
            {"name": "x", "permissions": "admin"},
            invalid(("permissions", "not_a_list", 'Expected a list of items but got type "str".')),
        ),
        ({"name": "x", "permissions": [7]}, invalid(("permissions.0", "invalid", "Not a valid string."))),
        ({"name": ""}, invalid(("name", "blank", "This field may not be blank."))),
        (
            {"name": "user"},
            conflict(
                "The present state does not allow this.",
                ("name", "unique", "There is a role of this name already."),
            ),
        ),
    ],
    ids=["unknown", "no-list", "number", "blank", "taken"],
)
def test_a_refused_role_is_not_created(
    admin: User, client_of: ClientOf, body: dict[str, Any], error: dict[str, Any]
) -> None:
    client = client_of(admin)
    before = tables()

    answer = client.post(PATH, body)

    assert error_of(answer) == error
    assert tables() == before


def test_a_change_holds_at_once_for_everyone_who_has_the_role(
    owner: User, admin: User, client_of: ClientOf, events: Events
) -> None:
    client = client_of(owner)
    before = client.get("/api/v1/users").status_code

    answer = client_of(admin).patch(of(owner.role), {"permissions": ["read:user"]})

    assert (before, answer.status_code, answer.headers["ETag"]) == (403, 200, '"2"')
    assert client.get("/api/v1/users").status_code == 200
    assert events("role.updated")[0].payload == {"before": {"permissions": []}, "after": {"permissions": ["read:user"]}}


def test_what_was_read_can_be_sent_back_whole(admin: User, editor_role: Role, client_of: ClientOf) -> None:
    client = client_of(admin)
    read = client.get(of(editor_role)).json()["data"]

    answer = client.put(of(editor_role), {**read, "description": "Reads."})

    assert answer.json()["data"]["description"] == "Reads."


def test_permission_to_do_everything_stays_with_somebody(admin: User, client_of: ClientOf) -> None:
    client = client_of(admin)
    before = tables()

    answer = client.patch(of(admin.role), {"permissions": ["read:user"]})

    assert error_of(answer) == conflict("There has to be an administrator who can sign in; this is the last one.")
    assert tables() == before


@pytest.mark.parametrize("name", ["user", "admin"])
def test_the_roles_that_the_product_names_keep_their_names_and_stay(
    admin: User, client_of: ClientOf, name: str
) -> None:
    client, role = client_of(admin), Role.objects.get(name=name)
    before = tables()

    renamed, deleted = client.patch(of(role), {"name": "other"}), client.delete(of(role))

    assert error_of(renamed) == conflict(f"The role {name} is part of the product and keeps its name.")
    assert error_of(deleted) == conflict(f"The role {name} is part of the product and stays.")
    assert tables() == before


def test_a_role_that_nobody_has_is_deleted(admin: User, editor_role: Role, client_of: ClientOf, events: Events) -> None:
    answer = client_of(admin).delete(of(editor_role))

    assert answer.status_code == 204
    assert not Role.objects.filter(name="editor").exists()
    assert [event.type for event in events()] == ["role.deleted"]


def test_a_role_in_use_is_not_deleted(admin: User, editor_role: Role, client_of: ClientOf) -> None:
    create_user("editor")
    client = client_of(admin)
    before = tables()

    answer = client.delete(of(editor_role))

    assert error_of(answer) == conflict("This role is in use: 1 user(s) have it.")
    assert tables() == before


def test_another_version_is_a_failed_precondition(admin: User, editor_role: Role, client_of: ClientOf) -> None:
    client = client_of(admin)
    before = tables()

    answers = [
        client.patch(of(editor_role), {"description": "X"}, headers={"If-Match": '"9"'}),
        client.delete(of(editor_role), headers={"If-Match": '"9"'}),
    ]

    assert [answer.status_code for answer in answers] == [412, 412]
    assert tables() == before


@pytest.mark.parametrize("who", ["owner", "moderator"])
def test_writing_roles_is_for_administrators(
    request: pytest.FixtureRequest, editor_role: Role, client_of: ClientOf, who: str
) -> None:
    client = client_of(request.getfixturevalue(who))
    before = tables()

    answers = [
        client.post(PATH, EDITOR),
        client.put(of(editor_role), EDITOR),
        client.patch(of(editor_role), {"permissions": ["admin"]}),
        client.delete(of(editor_role)),
    ]

    assert [error_of(answer) for answer in answers] == [PERMISSION_DENIED] * 4
    assert tables() == before


def test_reading_roles_needs_its_permission(owner: User, anonymous: Client, client_of: ClientOf) -> None:
    assert error_of(anonymous.get(PATH)) == NOT_AUTHENTICATED
    assert error_of(client_of(owner).get(PATH)) == PERMISSION_DENIED
    assert error_of(client_of(owner).get(of(owner.role))) == PERMISSION_DENIED


def test_there_is_no_such_role(admin: User, client_of: ClientOf) -> None:
    client = client_of(admin)

    answers = [client.get(f"{PATH}/4711"), client.patch(f"{PATH}/4711", {}), client.delete(f"{PATH}/4711")]

    assert [error_of(answer) for answer in answers] == [NOT_FOUND] * 3


def test_a_number_that_no_column_holds_is_no_role(admin: User, client_of: ClientOf) -> None:
    assert client_of(admin).get(f"{PATH}/{10**30}").status_code == 404


def test_the_catalogue_lists_every_permission(owner: User, anonymous: Client, client_of: ClientOf) -> None:
    body = client_of(owner).get("/api/v1/permissions").json()

    assert {row["name"]: row["description"] for row in body["data"]} == PERMISSIONS
    assert error_of(anonymous.get("/api/v1/permissions")) == NOT_AUTHENTICATED


@pytest.mark.parametrize("value", ["{}", '"admin"', "7", "null"])
def test_the_database_takes_only_a_list_of_permissions(db: None, value: str) -> None:
    statement = "UPDATE roles SET permissions = %s::jsonb"

    with (
        pytest.raises(IntegrityError, match="ck_roles_permissions_array"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, [value])


@pytest.mark.django_db(transaction=True)
def test_a_user_whose_role_is_called_otherwise_is_sent_anew(
    admin: User, owner: User, editor_role: Role, client_of: ClientOf
) -> None:
    client, person = client_of(admin), f"/api/v1/users/{owner.pk}"
    tag = client.patch(person, {"role": "editor"})["ETag"]
    assert client.get(person, headers={"If-None-Match": tag}).status_code == 304

    client.patch(of(editor_role), {"name": "author"})

    renamed = client.get(person, headers={"If-None-Match": tag})
    assert (renamed.status_code, renamed.json()["data"]["role"]) == (200, "author")
    assert client.get(person, headers={"If-None-Match": renamed["ETag"]}).status_code == 304
    assert client.patch(person, {"name": "Olive"}, headers={"If-Match": renamed["ETag"]}).status_code == 200
