"""What a personal access token may do, what it costs to know it, and how its use is noted."""

import logging
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import ApiToken, Role, User
from accounts.services.api_tokens import end_api_tokens
from accounts.tests.answers import (
    ClientOf,
    bearer,
    error_of,
    refusal,
    tables,
)
from accounts.tests.factories import PASSWORD, create_api_token_of, create_user
from accounts.token_identity import identify_api_token
from accounts.token_uses import write_uses
from core.crypto import random_token
from core.errors import InvalidToken
from core.permissions import SYSTEM, limited

PATH = "/api/v1/auth/api-tokens"
ME = "/api/v1/users/me"
INVALID_TOKEN = refusal(401, "INVALID_TOKEN", "This token is not valid.")


def status_of(token: str, path: str = ME) -> int:
    return Client().get(path, headers=bearer(token)).status_code


def test_nothing_under_auth_is_open_to_a_token(admin: User) -> None:
    row, secret = create_api_token_of(admin, "admin")
    before = tables()
    client = Client(headers=bearer(secret))

    answers = [
        client.get(PATH),
        client.post(PATH, {"name": "More", "scopes": ["admin"]}, "application/json"),
        client.delete(f"{PATH}/{row.pk}"),
        client.get("/api/v1/auth/sessions"),
        client.post("/api/v1/auth/logout-all"),
        client.post(
            "/api/v1/auth/change-password", {"current_password": PASSWORD, "new_password": "y" * 12}, "application/json"
        ),
    ]

    wanted = refusal(403, "PERMISSION_DENIED", "This is not for personal access tokens.")
    assert [error_of(answer) for answer in answers] == [wanted] * 6
    assert tables() == before


def test_a_scope_says_what_the_token_may_of_one_s_own(owner: User, client_of: ClientOf) -> None:
    resource = client_of(owner).post("/api/v1/resources", {"name": "Mine"}).json()["data"]["id"]
    _, secret = create_api_token_of(owner, "read:resource")
    client = Client(headers=bearer(secret))
    path = f"/api/v1/resources/{resource}"

    assert client.get(path).json()["data"]["access"] == "owner"
    assert client.get("/api/v1/resources").json()["meta"]["total"] == 1
    etag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    refused = client.patch(path, {"name": "Changed"}, "application/json")
    assert error_of(refused) == refusal(403, "PERMISSION_DENIED", "This token lacks the scope write:resource.")
    assert client.get(path).json()["data"]["name"] == "Mine"


def test_a_token_shows_what_it_may_and_not_what_its_owner_may(admin: User, client_of: ClientOf) -> None:
    _, secret = create_api_token_of(admin, "read:resource")

    by_token = Client(headers=bearer(secret)).get(ME)
    by_session = client_of(admin).get(ME)

    assert by_token.json()["data"]["permissions"] == ["read:resource"]
    assert "admin" in by_session.json()["data"]["permissions"]
    assert by_token.headers["ETag"] != by_session.headers["ETag"]


def test_a_scope_narrows_which_rows_are_seen(moderator: User, owner: User, client_of: ClientOf) -> None:
    resource = client_of(owner).post("/api/v1/resources", {"name": "Private"}).json()["data"]["id"]
    path = f"/api/v1/resources/{resource}"
    reader = Client(headers=bearer(create_api_token_of(moderator, "read:resource")[1]))
    writer = Client(headers=bearer(create_api_token_of(moderator, "write:resource")[1]))
    people = Client(headers=bearer(create_api_token_of(moderator, "read:user")[1]))

    assert reader.get(path).json()["data"]["access"] == "viewer"
    assert writer.patch(path, {"name": "Changed"}, "application/json").status_code == 200
    assert [client.get("/api/v1/users").status_code for client in (reader, people)] == [403, 200]
    assert people.get(path).status_code == 403


def test_an_administrator_s_token_is_no_administrator_s_session(admin: User, owner: User) -> None:
    limited_one = Client(headers=bearer(create_api_token_of(admin, "write:user")[1]))
    whole = Client(headers=bearer(create_api_token_of(admin, "admin")[1]))
    path = f"/api/v1/users/{owner.pk}"

    refused = limited_one.patch(path, {"role": "admin"}, "application/json")
    allowed = whole.patch(path, {"role": "moderator"}, "application/json")

    assert refused.status_code == 403
    assert allowed.json()["data"]["role"] == "moderator"


def test_a_role_that_loses_a_permission_takes_it_from_its_tokens(db: None, settings: Settings) -> None:
    settings.AUTHENTICATION_SNAPSHOT_SECONDS = 0
    role = Role.objects.create(name="reader", permissions=["read:user"])
    _, secret = create_api_token_of(create_user("reader"), "read:user")
    assert status_of(secret, "/api/v1/users") == 200

    Role.objects.filter(pk=role.pk).update(permissions=[])

    assert status_of(secret, "/api/v1/users") == 403
    assert status_of(secret) == 200


@pytest.mark.parametrize(
    ("held", "scopes", "left"),
    [
        ({"read:user", "write:user"}, {"read:user", "read:resource"}, {"read:user"}),
        ({"admin", "read:user"}, {"read:user"}, {"read:user"}),
        ({"admin", "read:user"}, {"admin"}, {"admin"}),
        ({"read:user"}, {"admin"}, set()),
        ({"read:resource.invoice"}, {"read:resource"}, {"read:resource.invoice"}),
        ({"read:resource.invoice"}, {"write:resource"}, set()),
    ],
)
def test_scopes_only_take_away(held: set[str], scopes: set[str], left: set[str]) -> None:
    assert limited(frozenset(held), frozenset(scopes)) == left


@pytest.mark.parametrize(
    "token",
    ["nk_", "nk_x", "nk_" + "A" * 49, random_token("nkr"), random_token("nkm"), random_token("nk") + "x"],
    ids=["prefix", "short", "wrong sum", "refresh", "mfa", "long"],
)
def test_junk_is_refused_without_a_query(
    db: None, token: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    write_uses()  # what another test has noted would be written after this request

    with django_assert_num_queries(0):
        answer = Client().get(ME, headers=bearer(token))

    assert error_of(answer) == INVALID_TOKEN


def test_a_token_that_was_never_issued_costs_one_query_each_time(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token = random_token("nk")

    for _ in range(2):
        with django_assert_num_queries(1), pytest.raises(InvalidToken):
            identify_api_token(token)


@pytest.mark.usefixtures("sessions_read_once")
def test_a_warm_token_costs_no_query(owner: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    _, secret = create_api_token_of(owner)

    with django_assert_num_queries(1):
        first = identify_api_token(secret)
    with django_assert_num_queries(0):
        second = identify_api_token(secret)

    assert first is second
    assert (first.id, first.session_id, first.authenticated_at) == (owner.pk, None, None)


def test_its_last_use_is_written_after_the_answer_and_once_a_minute(owner: User, settings: Settings) -> None:
    settings.AUTHENTICATION_SNAPSHOT_SECONDS = 0
    row, secret = create_api_token_of(owner)

    status_of(secret)
    first = ApiToken.objects.get(pk=row.pk).last_used_at
    status_of(secret)

    assert first is not None
    assert ApiToken.objects.get(pk=row.pk).last_used_at == first
    ApiToken.objects.filter(pk=row.pk).update(last_used_at=first - timedelta(minutes=2))
    status_of(secret)
    assert (ApiToken.objects.get(pk=row.pk).last_used_at or first) > first


def test_nobody_waits_for_a_token_that_is_locked(transactional_db: None) -> None:
    """Another process holds the row: the use is left out, not waited for."""
    row, secret = create_api_token_of(create_user())
    identify_api_token(secret)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        end_slowly(row, held, done)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(60)
    started = time.monotonic()
    write_uses()
    took = time.monotonic() - started
    done.set()
    holder.join()

    assert took < 20  # the row is held for a minute
    assert ApiToken.objects.get(pk=row.pk).last_used_at is None


def end_slowly(row: ApiToken, held: threading.Event, done: threading.Event) -> None:
    try:
        with transaction.atomic():
            end_api_tokens(user_id=row.user_id, actor=SYSTEM, reason="test")
            held.set()
            done.wait(60)
    finally:
        connection.close()


def test_a_database_that_takes_no_writes_costs_a_line_in_the_log(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    _, secret = create_api_token_of(create_user())
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        with caplog.at_level(logging.WARNING, "accounts.token_uses"):
            assert status_of(secret) == 200
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")

    assert "the last use of tokens was not written" in caplog.text


def test_a_post_with_a_token_is_done_once_per_idempotency_key(owner: User) -> None:
    _, secret = create_api_token_of(owner, "write:resource")
    client = Client(headers={**bearer(secret), "Idempotency-Key": "one"})

    first, second = (client.post("/api/v1/resources", {"name": "Once"}, "application/json") for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"


def test_all_tokens_of_a_person_share_their_limit(owner: User) -> None:
    answers = [Client().get(ME, headers=bearer(create_api_token_of(owner)[1])) for _ in range(2)]

    assert [answer.headers["RateLimit-Limit"] for answer in answers] == ["600", "600"]
    assert int(answers[1].headers["RateLimit-Remaining"]) < int(answers[0].headers["RateLimit-Remaining"])
