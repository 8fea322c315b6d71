"""A provider that is down, hangs or talks nonsense: its sign-in is a clear 503 within five seconds, others go on."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Connection, Session, User
from accounts.tests.answers import error_of, refusal, sign_in
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.social import PEOPLE, Browser, authorize, come_back, go, sign_in_with
from core.tests.platform import OwnRedis

pytestmark = pytest.mark.django_db

MOST_SECONDS = 5.0


def unavailable(name: str = "Acme") -> dict[str, Any]:
    message = f"Sign-in with {name} is not available at the moment; try again later."
    return refusal(503, "SERVICE_UNAVAILABLE", message)


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    started = time.monotonic()
    return act(), time.monotonic() - started


def test_a_provider_that_hangs_is_given_up_and_nobody_else_waits(
    own_provider: ProviderProcess, provider_process: ProviderProcess, anonymous: Client, owner: User, settings: Settings
) -> None:
    given = go(own_provider, anonymous, "nina")
    other = {"issuer": f"http://127.0.0.1:{provider_process.port}/github"}
    settings.OAUTH_PROVIDERS = settings.OAUTH_PROVIDERS | {"github": settings.OAUTH_PROVIDERS["github"] | other}
    settings.OUTBOUND_ALLOWED_HOSTS = [own_provider.host, f"127.0.0.1:{provider_process.port}"]
    provider_process.behave(people=PEOPLE)
    own_provider.freeze()

    answer, seconds = timed(lambda: come_back(anonymous, given))

    assert error_of(answer) == unavailable()
    assert answer.headers["Retry-After"] == "5"
    assert seconds < MOST_SECONDS
    password, seconds = timed(lambda: sign_in(Browser(), owner.email))
    assert (password.status_code, seconds < 1) == (200, True)
    assert sign_in_with(provider_process, Browser(), "octo", "github").status_code == 200


def test_a_provider_that_hangs_is_not_asked_again_and_again(own_provider: ProviderProcess) -> None:
    own_provider.behave(people=PEOPLE, faults={"configuration": "500"})
    for _ in range(5):
        assert authorize(Browser()).status_code == 503
    own_provider.freeze()

    answer, seconds = timed(lambda: authorize(Browser()))

    assert error_of(answer) == unavailable()
    assert seconds < 0.5


def test_a_provider_that_is_down_is_told_at_once(own_provider: ProviderProcess, anonymous: Client, owner: User) -> None:
    given = go(own_provider, anonymous, "nina")
    own_provider.stop()

    answer, seconds = timed(lambda: come_back(anonymous, given))

    assert error_of(answer) == unavailable()
    assert seconds < 1
    assert error_of(authorize(Browser(), "microsoft")) == unavailable("Microsoft")
    assert sign_in(Browser(), owner.email).status_code == 200


@pytest.mark.parametrize("fault", ["500", "503", "429", "404", "huge", "garbage"])
@pytest.mark.parametrize("endpoint", ["configuration", "keys", "token"])
def test_nonsense_is_a_503_and_signs_nobody_in(
    provider: ProviderProcess, anonymous: Client, endpoint: str, fault: str
) -> None:
    provider.behave(people=PEOPLE, faults={endpoint: fault})

    begun = authorize(anonymous)
    if endpoint == "configuration":
        assert error_of(begun) == unavailable()
        return
    given = provider.visit(begun.json()["data"]["authorization_url"], "nina")
    answer = come_back(anonymous, given)

    assert error_of(answer) == unavailable()
    assert [model.objects.count() for model in (User, Session, Connection)] == [0, 0, 0]


@pytest.mark.parametrize("fault", ["500", "huge", "garbage", "404"])
def test_github_s_api_may_fail_too(provider: ProviderProcess, anonymous: Client, fault: str) -> None:
    provider.behave(people=PEOPLE, faults={"api": fault})

    assert error_of(sign_in_with(provider, anonymous, "octo", "github")) == unavailable("GitHub")
    assert not User.objects.exists()


@pytest.mark.parametrize("fault", ["500", "garbage"])
def test_user_info_may_fail_too(provider: ProviderProcess, anonymous: Client, fault: str) -> None:
    provider.behave(people=PEOPLE, claims={"email": None}, faults={"userinfo": fault})

    assert error_of(sign_in_with(provider, anonymous, "nina")) == unavailable()
    assert not User.objects.exists()


def test_without_redis_people_sign_in_all_the_same(
    own_redis: OwnRedis, provider: ProviderProcess, anonymous: Client
) -> None:
    own_redis.stop()

    assert sign_in_with(provider, anonymous, "nina").status_code == 200


def test_with_a_redis_that_hangs_people_sign_in_all_the_same(
    own_redis: OwnRedis, provider: ProviderProcess, anonymous: Client
) -> None:
    own_redis.freeze()

    answer, seconds = timed(lambda: sign_in_with(provider, anonymous, "nina"))

    assert answer.status_code == 200
    assert seconds < MOST_SECONDS


def test_kept_keys_sign_people_in_while_the_provider_s_are_away(provider: ProviderProcess, anonymous: Client) -> None:
    sign_in_with(provider, anonymous, "nina")
    provider.behave(people=PEOPLE, faults={"keys": "500", "configuration": "500"})

    assert sign_in_with(provider, anonymous, "nina").status_code == 200
