"""/profile."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.answers import NOT_AUTHENTICATED, ClientOf, error_of, invalid, tables
from core.tests.spine import Events

PATH = "/api/v1/profile"


def test_it_shows_oneself(owner: User, client_of: ClientOf) -> None:
    answer = client_of(owner).get(PATH)

    data = answer.json()["data"]
    assert list(data) == [
        *("id", "email", "name", "bio", "locale", "time_zone", "phone", "phone_verified"),
        *("avatar", "avatar_sizes", "created_at", "updated_at"),
    ]
    assert (data["avatar"], data["avatar_sizes"]) == (None, None)
    assert (data["email"], data["name"], data["bio"]) == (owner.email, owner.name, "")
    assert answer.headers["ETag"] == '"1"'


def test_it_is_changed_in_part(owner: User, client_of: ClientOf, events: Events) -> None:
    answer = client_of(owner).patch(PATH, {"bio": "Line one\nline two", "locale": "pt-BR"})

    data = answer.json()["data"]
    assert (data["name"], data["bio"], data["locale"]) == (owner.name, "Line one\nline two", "pt-BR")
    assert events("user.updated")[0].payload["after"] == {"bio": "Line one\nline two", "locale": "pt-BR"}


def test_it_is_replaced_whole(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    client.patch(PATH, {"bio": "Old", "time_zone": "Europe/Vienna"})

    data = client.put(PATH, {"name": "Olive"}).json()["data"]

    assert (data["name"], data["bio"], data["locale"], data["time_zone"]) == ("Olive", "", "en", "UTC")


def test_what_was_read_can_be_sent_back(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    read = client.get(PATH).json()["data"]

    assert client.put(PATH, {**read, "email": "ignored@example.com"}).json()["data"] == read


def test_an_unchanged_profile_is_not_sent_again(owner: User, client_of: ClientOf) -> None:
    assert client_of(owner).get(PATH, headers={"If-None-Match": '"1"'}).status_code == 304


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"role": "admin"}, ("role", "unknown_field", "There is no such field.")),
        ({"bio": "x" * 2001}, ("bio", "max_length", "Ensure this field has no more than 2000 characters.")),
        ({"time_zone": "CEST!"}, ("time_zone", "unknown_time_zone", "Give a name such as Europe/Vienna or UTC.")),
        ({"name": None}, ("name", "null", "This field may not be null.")),
    ],
    ids=str,
)
def test_a_refused_change_changes_nothing(
    owner: User, client_of: ClientOf, body: dict[str, Any], detail: tuple[str, str, str]
) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.patch(PATH, body)

    assert error_of(answer) == invalid(detail)
    assert tables() == before


def test_another_version_is_a_failed_precondition(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    before = tables()

    answer = client.patch(PATH, {"name": "X"}, headers={"If-Match": '"2"'})

    assert answer.status_code == 412
    assert tables() == before


def test_it_is_for_those_who_are_signed_in(db: None, anonymous: Client) -> None:
    answers = [anonymous.get(PATH), anonymous.put(PATH, {"name": "X"}), anonymous.patch(PATH, {"name": "X"})]

    assert [error_of(answer) for answer in answers] == [NOT_AUTHENTICATED] * 3
