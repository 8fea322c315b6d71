"""Cache-aside: one production for many misses, nothing stale after an invalidation, a miss when Redis is away."""

import threading
import time
from io import StringIO
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django_redis import get_redis_connection
from pytest_django import Settings

from core.cache import TTLS, cached, forget, invalidate
from core.metrics import CACHE_HITS, CACHE_MISSES
from core.tests.platform import OwnRedis


class Source:
    """What is cached: counts how often it is asked, and can take its time."""

    def __init__(self, value: Any = None, *, seconds: float = 0) -> None:
        self.value = value
        self.seconds = seconds
        self.asked = 0
        self.began = threading.Event()

    def __call__(self) -> Any:
        self.asked += 1
        self.began.set()
        value = self.value
        time.sleep(self.seconds)
        return value


def test_the_second_read_asks_nobody() -> None:
    source = Source({"name": "Ada", "tags": [1, None, "ü"]})

    first, second = cached("users", "1", source), cached("users", "1", source)

    assert first == second == {"name": "Ada", "tags": [1, None, "ü"]}
    assert source.asked == 1


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}])
def test_nothing_is_a_value_too(value: Any) -> None:
    source = Source(value)
    cached("users", "1", source)

    assert cached("users", "1", source) == value
    assert source.asked == 1


def test_keys_and_namespaces_are_kept_apart() -> None:
    cached("users", "1", Source("one"))
    cached("users", "2", Source("two"))
    cached("lists", "1", Source("list"))

    assert cached("users", "1", Source("wrong")) == "one"
    assert cached("users", "2", Source("wrong")) == "two"
    assert cached("lists", "1", Source("wrong")) == "list"


def test_entries_expire_by_the_table_which_stays_within_five_minutes_and_a_day(settings: Settings) -> None:
    cached("users", "1", Source("one"))

    (key,) = get_redis_connection("default").keys(f"{settings.REDIS_KEY_PREFIX}:cache:*:value:1")
    assert 3590 <= get_redis_connection("default").ttl(key) <= 3600
    assert all(300 <= seconds <= 86400 for seconds in TTLS.values())


def test_an_unlisted_namespace_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        cached("no-such-namespace", "1", Source("one"))


def test_an_invalidated_namespace_is_read_anew_and_others_stay() -> None:
    cached("users", "1", Source("old"))
    cached("lists", "1", Source("list"))

    invalidate("users")

    assert cached("users", "1", Source("new")) == "new"
    assert cached("lists", "1", Source("wrong")) == "list"


def test_a_forgotten_entry_is_read_anew_and_its_neighbours_stay() -> None:
    cached("users", "1", Source("old"))
    cached("users", "2", Source("two"))

    forget("users", "1")

    assert cached("users", "1", Source("new")) == "new"
    assert cached("users", "2", Source("wrong")) == "two"


@pytest.mark.parametrize("drop", [lambda: invalidate("users"), lambda: forget("users", "1")])
def test_what_was_read_before_a_change_is_not_kept_after_it(drop: Any) -> None:
    slow = Source("old", seconds=0.3)
    reader = threading.Thread(target=lambda: cached("users", "1", slow))
    reader.start()
    slow.began.wait()

    drop()
    reader.join()

    assert cached("users", "1", Source("new")) == "new"


def test_twenty_misses_at_once_are_one_production() -> None:
    source = Source("value", seconds=0.2)
    answers: list[Any] = []
    barrier = threading.Barrier(20)

    def read() -> None:
        barrier.wait()
        answers.append(cached("users", "1", source))

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == ["value"] * 20
    assert source.asked == 1


def test_a_production_that_fails_lets_the_next_one_try_at_once() -> None:
    def fail() -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cached("users", "1", fail)

    started = time.monotonic()
    assert cached("users", "1", Source("value")) == "value"
    assert time.monotonic() - started < 1


def test_hits_and_misses_are_counted() -> None:
    hits = CACHE_HITS.labels("images")._value.get()
    misses = CACHE_MISSES.labels("images")._value.get()

    for _ in range(3):
        cached("images", "1", Source("value"))

    assert CACHE_HITS.labels("images")._value.get() == hits + 2
    assert CACHE_MISSES.labels("images")._value.get() == misses + 1


def test_without_redis_every_read_is_a_miss_and_no_error(settings: Settings) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": settings.CACHE_URL}}
    source = Source("value")

    assert [cached("users", "1", source) for _ in range(3)] == ["value"] * 3
    invalidate("users")
    forget("users", "1")
    assert source.asked == 3


def test_a_hung_redis_is_waited_for_once(own_redis: OwnRedis) -> None:
    cached("users", "1", Source("value"))
    own_redis.freeze()

    started = time.monotonic()
    values = [cached("users", "1", Source("fresh")) for _ in range(100)]

    assert values == ["fresh"] * 100
    assert time.monotonic() - started < 1.5


def test_djangos_own_cache_holds_json_and_never_pickle(settings: Settings) -> None:
    caches["default"].set("key", {"a": 1}, 60)

    (stored,) = [get_redis_connection("default").get(key) for key in get_redis_connection("default").keys("*:1:key")]
    assert stored == b'{"a": 1}'


def test_an_operator_clears_one_namespace_or_all() -> None:
    for namespace in ("users", "lists"):
        cached(namespace, "1", Source("old"))
    output = StringIO()

    call_command("cache_clear", "users", stdout=output)
    assert cached("users", "1", Source("new")) == "new"
    assert cached("lists", "1", Source("new")) == "old"

    call_command("cache_clear", stdout=output)
    assert cached("lists", "1", Source("newer")) == "newer"
    assert output.getvalue().splitlines()[0] == "Cleared users."
