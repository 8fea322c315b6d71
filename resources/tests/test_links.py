"""Links: they open to whoever has them, as often as they may, and dead ones are all alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import randrange
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from core.crypto import random_token, token_digest
from core.models import Event
from resources.models import Resource, Share
from resources.services.bin import move_to_bin
from resources.services.sharing import LINK_PREFIX
from resources.tests.factories import caller, create_resource

ClientOf = Callable[[User], Client]
PASSWORD = "open sesame"

pytestmark = pytest.mark.django_db


@pytest.fixture
def thing(owner: User) -> Resource:
    return create_resource(owner, name="Plan", data={"total": 5})


@pytest.fixture
def make(client_of: ClientOf, owner: User, thing: Resource) -> Callable[..., dict[str, Any]]:
    def make(expires_at: str | None = None, **link: Any) -> dict[str, Any]:
        body = {"link": link, "access": "viewer", "expires_at": expires_at}
        answer: Any = client_of(owner).post(f"/api/v1/resources/{thing.pk}/shares", body)
        assert answer.status_code == 201, answer.content
        return dict(answer.json()["data"])

    return make


def elsewhere() -> Client:
    """Return a client at an address of its own."""
    return Client(REMOTE_ADDR=f"10.77.{randrange(256)}.{randrange(1, 255)}")


def try_password(client: Client, token: str, password: str) -> Any:
    return client.post(shared(token), {"password": password}, "application/json")


def shared(token: str) -> str:
    return f"/api/v1/shared/{token}"


def uses() -> int:
    return Share.objects.get().link_uses


def test_a_link_shows_the_resource_to_whoever_has_it(
    make: Any, owner: User, stranger: User, thing: Resource, anonymous: Client, client_of: ClientOf
) -> None:
    link = make()

    answers = [client.get(shared(link["token"])) for client in (anonymous, client_of(stranger), client_of(owner))]

    for answer in answers:
        assert (answer.status_code, answer["Cache-Control"], answer["ETag"]) == (200, "no-store", '"1"')
        shown = answer.json()["data"]
        assert (shown["id"], shown["data"], shown["access"]) == (str(thing.pk), {"total": 5}, "viewer")
        assert shown["owner"] == {"id": str(owner.pk), "name": "Olive Owner", "avatar": None}
        assert "shares" not in shown
    assert uses() == 3
    opened = Event.objects.filter(type="share.opened").order_by("seq")
    assert [event.actor for event in opened] == [None, stranger.pk, owner.pk]
    assert client_of(stranger).get(f"/api/v1/resources/{thing.pk}").status_code == 404


def test_who_has_this_version_is_not_sent_it_again(make: Any, anonymous: Client, thing: Resource) -> None:
    link = make()
    tag = anonymous.get(shared(link["token"]))["ETag"]

    known = anonymous.get(shared(link["token"]), headers={"If-None-Match": tag})

    assert (known.status_code, known.content, known["ETag"]) == (304, b"", tag)
    assert known["Cache-Control"] == "no-store"
    assert uses() == 2
    Resource.objects.filter(pk=thing.pk).update(version=2)
    assert anonymous.get(shared(link["token"]), headers={"If-None-Match": tag}).status_code == 200


def test_the_secret_is_shown_once_and_kept_nowhere(
    make: Any, owner: User, thing: Resource, client_of: ClientOf
) -> None:
    link = make(password=PASSWORD, max_uses=2)

    assert link["token"].startswith("nkl_")
    assert link["url"].endswith(f"/shared?token={link['token']}")
    row = Share.objects.get()
    assert bytes(row.link_digest or b"") == token_digest(link["token"])
    assert PASSWORD not in row.link_password
    (listed,) = client_of(owner).get(f"/api/v1/resources/{thing.pk}/shares").json()["data"]
    assert listed["link"] == {"has_password": True, "max_uses": 2, "uses": 0}
    assert not {"token", "url"} & listed.keys()
    log = str(list(Event.objects.values_list("payload", flat=True)))
    assert link["token"] not in log
    assert PASSWORD not in log


def test_a_link_with_a_password_opens_with_it_alone(make: Any, anonymous: Client) -> None:
    token = make(password=PASSWORD)["token"]

    assert anonymous.get(shared(token)).json()["error"]["code"] == "INVALID_CREDENTIALS"
    wrong = anonymous.post(shared(token), {"password": "open barley"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    assert uses() == 0

    assert anonymous.post(shared(token), {"password": PASSWORD}).json()["data"]["name"] == "Plan"
    assert uses() == 1


def test_wrong_passwords_make_their_own_address_wait_and_nobody_else(make: Any, anonymous: Client) -> None:
    token = make(password=PASSWORD)["token"]

    statuses = [anonymous.post(shared(token), {"password": f"guess {number}"}).status_code for number in range(7)]

    assert statuses == [401] * 5 + [429] * 2
    assert anonymous.post(shared(token), {"password": PASSWORD}).status_code == 429
    assert try_password(elsewhere(), token, PASSWORD).status_code == 200


def test_wrong_passwords_from_everywhere_make_everyone_wait(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.services.links.FREE_FAILURES_OF_ALL", 8)
    token = make(password=PASSWORD)["token"]

    statuses = [try_password(elsewhere(), token, f"guess {number}").status_code for number in range(9)]

    assert statuses == [401] * 8 + [429]
    assert uses() == 0


DEATHS: dict[str, Callable[[User, Resource], object]] = {
    "expired": lambda owner, thing: Share.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1)),
    "used up": lambda owner, thing: Share.objects.update(link_max_uses=3, link_uses=3),
    "taken back": lambda owner, thing: Share.objects.all().delete(),
    "of a disabled giver": lambda owner, thing: User.objects.filter(pk=owner.pk).update(is_active=False),
    "of a deleted giver": lambda owner, thing: User.objects.filter(pk=owner.pk).update(deleted_at=datetime.now(UTC)),
    "in the bin": lambda owner, thing: move_to_bin(actor=caller(owner), resource_id=thing.pk),
    "of a former owner": lambda owner, thing: Resource.objects.update(
        owner=User.objects.get(email="stranger@example.com")
    ),
}


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("password", [None, PASSWORD])
def test_dead_links_are_all_alike(
    make: Any, owner: User, stranger: User, thing: Resource, anonymous: Client, death: str, password: str | None
) -> None:
    token = make(password=password)["token"]
    never = anonymous.get(shared(random_token(LINK_PREFIX)))

    DEATHS[death](owner, thing)

    for answer in (
        anonymous.get(shared(token)),
        anonymous.post(shared(token), {"password": PASSWORD}),
        anonymous.get(shared("nkl_nonsense")),
    ):
        assert answer.status_code == never.status_code == 404
        assert {**answer.json()["error"], "request_id": ""} == {**never.json()["error"], "request_id": ""}
    assert not Event.objects.filter(type="share.opened").exists()


@pytest.mark.django_db(transaction=True)
def test_of_64_at_once_as_many_open_as_may(make: Any) -> None:
    token = make(max_uses=10)["token"]
    gate = Barrier(64)

    def open_it(_: int) -> int:
        try:
            gate.wait(60)
            return int(elsewhere().get(shared(token)).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(64) as pool:
        statuses = list(pool.map(open_it, range(64)))

    assert sorted(statuses) == [200] * 10 + [404] * 54
    assert uses() == 10
    assert Event.objects.filter(type="share.opened").count() == 10


def test_looking_at_the_page_opens_nothing_and_the_button_does(make: Any, client: Client) -> None:
    token = make(max_uses=1)["token"]

    for _ in range(2):
        page = client.get("/shared", {"token": token})
        assert (page.status_code, uses()) == (200, 0)
        assert "Plan" not in page.content.decode()
    shown = client.post("/shared", {"token": token})

    assert shown.status_code == 200
    assert "Plan" in shown.content.decode()
    assert "&quot;total&quot;: 5" in shown.content.decode()
    assert uses() == 1
    assert client.get("/shared", {"token": token}).status_code == 404
    assert client.post("/shared", {"token": token}).status_code == 404


def test_the_page_asks_for_the_password_of_a_link_that_has_one(make: Any, client: Client) -> None:
    token = make(password=PASSWORD)["token"]

    assert 'type="password"' in client.get("/shared", {"token": token}).content.decode()
    assert client.post("/shared", {"token": token}).status_code == 400
    assert client.post("/shared", {"token": token, "password": "open barley"}).status_code == 401
    assert uses() == 0
    assert "Plan" in client.post("/shared", {"token": token, "password": PASSWORD}).content.decode()


def test_a_receiver_that_is_null_is_none(owner: User, stranger: User, thing: Resource, client_of: ClientOf) -> None:
    client, path = client_of(owner), f"/api/v1/resources/{thing.pk}/shares"
    to_nobody = {"user": None, "role": None, "link": None, "access": "viewer"}

    made = client.post(path, {**to_nobody, "user": str(stranger.pk)}, "application/json")
    refused = client.post(path, to_nobody, "application/json")

    assert (made.status_code, made.json()["data"]["user"]["id"]) == (201, str(stranger.pk))
    assert refused.status_code == 400
    assert [one["code"] for one in refused.json()["error"]["details"]] == ["one_receiver"]
    assert Share.objects.count() == 1
