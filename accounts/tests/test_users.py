"""/users, /users/me, /users/{id}: who sees what of whom."""

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
    ClientOf,
    error_of,
    kinds_sent_to,
)
from accounts.tests.factories import create_user
from accounts.tests.user_answers import FIELDS, PATH, of


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
@pytest.mark.usefixtures("sessions_read_once")
def test_the_list_costs_two_queries(
    moderator: User, client_of: ClientOf, django_assert_num_queries: Any, people: int
) -> None:
    for _ in range(people):
        create_user()
    client = client_of(moderator)
    client.get(f"{PATH}/me")

    with django_assert_num_queries(2):
        client.get(PATH)


def test_times_are_those_of_the_database(owner: User, client_of: ClientOf) -> None:
    data = client_of(owner).get(of(owner)).json()["data"]

    assert data["created_at"].endswith("Z")
    assert abs(datetime.fromisoformat(data["created_at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert kinds_sent_to(owner.email) == []
