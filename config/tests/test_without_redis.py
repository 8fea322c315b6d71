"""Redis refused, hung and emptied under a whole API: nothing fails, nothing opens, nothing waits for long."""

import json
import time
from collections.abc import Callable

import pytest
from django.http import HttpResponse
from pytest_django import Settings

from accounts.models import User
from config.tests.cast import ApiClient
from core.redis_link import link_to
from core.tests.platform import OwnRedis

pytestmark = pytest.mark.django_db

UNREACHABLE = "redis://127.0.0.1:1/0"


@pytest.fixture
def refused(settings: Settings) -> None:
    """Cache and state are asked at a port where nobody listens."""
    settings.STATE_URL = settings.CACHE_URL = UNREACHABLE
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": UNREACHABLE}}


@pytest.mark.usefixtures("refused")
def test_every_kind_of_request_is_answered(owner: User, client_of: Callable[[User], ApiClient]) -> None:
    client = client_of(owner)

    created = client.post("/api/v1/resources", {"name": "March"})
    read = client.get(f"/api/v1/resources/{created.json()['data']['id']}")
    wrong = client.post("/api/v1/auth/login", {"email": "nobody@example.com", "password": "not the password"})

    assert (created.status_code, read.status_code, wrong.status_code) == (201, 200, 401)
    assert client.get("/api/v1/resources").json()["meta"]["total"] == 1
    assert client.get("/api/v1/users/me").status_code == 200


def sign_in_as_nobody(client: ApiClient, number: int) -> HttpResponse:
    body = {"email": f"nobody{number}@example.com", "password": "not the password"}
    response: HttpResponse = client.post("/api/v1/auth/login", body)
    return response


@pytest.mark.usefixtures("refused")
def test_the_limit_holds_and_says_so(anonymous: ApiClient) -> None:
    answers = [sign_in_as_nobody(anonymous, number) for number in range(12)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert json.loads(answers[-1].content)["error"]["code"] == "RATE_LIMITED"
    assert 1 <= int(answers[-1]["Retry-After"]) <= 6
    assert (answers[-1]["RateLimit-Limit"], answers[-1]["RateLimit-Remaining"]) == ("10", "0")


def longest_waits(client: ApiClient, redis: OwnRedis) -> tuple[float, float]:
    """Return the two longest of a hundred requests that begin when Redis hangs; it answers again afterwards."""
    redis.freeze()
    seconds = []
    for _ in range(100):
        started = time.monotonic()
        assert client.get("/api/v1/users/me").status_code == 200
        seconds.append(time.monotonic() - started)
    redis.thaw()
    while not link_to(redis.url).is_available:
        time.sleep(0.02)
    second, longest = sorted(seconds)[-2:]
    return longest, second


def test_a_hang_is_felt_by_one_request_and_by_no_other(
    owner: User, client_of: Callable[[User], ApiClient], own_redis: OwnRedis
) -> None:
    client = client_of(owner)
    client.get("/api/v1/users/me")

    # What else the machine does only ever adds to a measurement: the best of some rounds is the nearest to the truth.
    rounds: list[tuple[float, float]] = []
    while len(rounds) < 5 and not any(longest < 0.5 and second < 0.15 for longest, second in rounds):
        rounds.append(longest_waits(client, own_redis))

    assert any(longest < 0.5 and second < 0.15 for longest, second in rounds), rounds
    assert client.get("/api/v1/users/me")["RateLimit-Limit"] == "600"


def test_an_emptied_redis_gives_one_window_more_and_no_error(anonymous: ApiClient, own_redis: OwnRedis) -> None:
    before = [sign_in_as_nobody(anonymous, number).status_code for number in range(11)]
    link_to(own_redis.url).call("FLUSHALL")
    after = [sign_in_as_nobody(anonymous, number).status_code for number in range(11)]

    assert before == after == [401] * 10 + [429]
