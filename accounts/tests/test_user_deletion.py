"""DELETE /users/{id}, POST /users/{id}/restore."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.answers import (
    NOT_FOUND,
    PERMISSION_DENIED,
    SESSION_REVOKED,
    ClientOf,
    bearer,
    error_of,
    sign_in,
    tables,
)
from accounts.tests.factories import access_token_of, create_session, create_user
from accounts.tests.test_races import at_once, post
from accounts.tests.user_answers import HOLDS_MORE, LAST_ADMIN, PATH, TAKEN, of
from core.tests.spine import Events

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


@pytest.mark.django_db(transaction=True)
def test_of_two_deleted_users_of_one_address_one_comes_back(transactional_db: None) -> None:
    token = access_token_of(create_session(create_user("admin")))
    twins = [create_user(email="twin@example.com", deleted_at=datetime.now(UTC)) for _ in range(2)]

    answers = at_once(2, lambda index: post(f"/users/{twins[index].pk}/restore", {}, index, bearer(token)))

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert User.objects.filter(email="twin@example.com").count() == 1
