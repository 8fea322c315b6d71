"""Many at once: one of them wins, and nothing is lost or done twice."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Session, SignInThrottle, SpentRefreshToken, User
from accounts.services.passwords import send_password_reset
from accounts.tests.answers import bearer, kinds_sent_to, tokens_of
from accounts.tests.factories import PASSWORD, access_token_of, create_session, create_user
from accounts.tests.test_refresh import leave_grace
from core.models import Event
from notifications.models import Message

Result = TypeVar("Result")

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(number: int, act: Callable[[int], Result]) -> list[Result]:
    """Call `act` with 0, 1, … in threads that start together; return what it returned."""
    gate = Barrier(number)

    def run(index: int) -> Result:
        try:
            gate.wait(30)
            return act(index)
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def post(path: str, body: dict[str, Any], index: int = 0, headers: dict[str, str] | None = None) -> Any:
    return Client(REMOTE_ADDR=f"10.40.0.{index + 1}").post(
        f"/api/v1{path}", body, "application/json", headers=headers or {}
    )


def test_one_of_32_refreshes_wins_and_the_others_get_the_same_pair(transactional_db: None, anonymous: Client) -> None:
    token = tokens_of(anonymous, create_user())["refresh_token"]

    answers = at_once(32, lambda index: post("/auth/refresh-token", {"refresh_token": token}, index))

    data = [answer.json()["data"] for answer in answers]
    assert [answer.status_code for answer in answers] == [200] * 32
    assert SpentRefreshToken.objects.count() == 1
    assert Event.objects.filter(type="session.refreshed").count() == 1
    assert len({pair["refresh_token"] for pair in data}) == 1
    assert Session.objects.live().count() == 1
    assert post("/auth/refresh-token", {"refresh_token": data[0]["refresh_token"]}).status_code == 200


def test_of_many_thieves_each_is_refused_and_the_owner_is_told_once(transactional_db: None, anonymous: Client) -> None:
    owner = create_user()
    token = tokens_of(anonymous, owner)["refresh_token"]
    live = post("/auth/refresh-token", {"refresh_token": token}).json()["data"]
    leave_grace()

    answers = at_once(8, lambda index: post("/auth/refresh-token", {"refresh_token": token}, index))

    assert [answer.status_code for answer in answers] == [401] * 8
    assert kinds_sent_to(owner.email) == ["account.token_reuse"]
    assert post("/auth/refresh-token", {"refresh_token": live["refresh_token"]}).status_code == 401
    assert Session.objects.live().count() == 0


def test_a_link_to_set_a_password_serves_one_of_many(transactional_db: None) -> None:
    owner = create_user()
    send_password_reset(email=owner.email)
    token = Message.objects.get().context["link"].rpartition("token=")[2]

    answers = at_once(
        6,
        lambda index: post("/auth/reset-password", {"token": token, "password": f"a-new-horse-number-{index}"}, index),
    )

    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200, 400, 400, 400, 400, 400]
    winner = f"a-new-horse-number-{statuses.index(200)}"
    assert post("/auth/login", {"email": owner.email, "password": winner}, 99).status_code == 200


def test_an_address_becomes_one_account(transactional_db: None) -> None:
    body = {"email": "new@example.com", "password": PASSWORD, "name": "Nina"}

    answers = at_once(6, lambda index: post("/auth/register", body, index))

    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert User.objects.count() == 1
    assert Event.objects.filter(type="user.created").count() == 1


def test_two_administrators_cannot_demote_each_other_at_once(transactional_db: None) -> None:
    admins = [create_user("admin"), create_user("admin")]
    tokens = [access_token_of(create_session(admin)) for admin in admins]

    def demote_the_other(index: int) -> int:
        client = Client(headers=bearer(tokens[index]))
        path = f"/api/v1/users/{admins[1 - index].pk}"
        return client.patch(path, {"role": "user"}, "application/json").status_code

    statuses = at_once(2, demote_the_other)

    assert Counter(statuses)[200] == 1
    assert User.objects.filter(role__name="admin", is_active=True).count() == 1


def test_changes_of_different_fields_lose_none(transactional_db: None) -> None:
    owner = create_user()
    client = Client(headers=bearer(access_token_of(create_session(owner))))
    fields = [{"name": "New"}, {"bio": "New"}, {"locale": "de"}, {"time_zone": "Europe/Vienna"}]

    at_once(4, lambda index: client.patch("/api/v1/profile", fields[index], "application/json"))

    owner.refresh_from_db()
    assert (owner.name, owner.bio, owner.locale, owner.time_zone) == ("New", "New", "de", "Europe/Vienna")
    assert owner.version == 5


def test_every_failure_of_many_at_once_counts(transactional_db: None) -> None:
    owner = create_user()

    answers = at_once(
        12, lambda index: post("/auth/login", {"email": owner.email, "password": "wrong-horse-battery"}, index)
    )

    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {401, 429}
    assert SignInThrottle.objects.get().failures == statuses[401]
    assert post("/auth/login", {"email": owner.email, "password": PASSWORD}, 99).status_code == 429


def test_a_reset_overtakes_a_sign_in_that_had_the_old_password(transactional_db: None) -> None:
    owner = create_user()
    send_password_reset(email=owner.email)
    token = Message.objects.get().context["link"].rpartition("token=")[2]

    def act(index: int) -> Any:
        if index == 0:
            return post("/auth/reset-password", {"token": token, "password": "a-new-horse-and-battery"}).status_code
        return post("/auth/login", {"email": owner.email, "password": PASSWORD}, index).status_code

    statuses = at_once(5, act)

    assert statuses[0] == 200
    assert Session.objects.live().count() == 0
