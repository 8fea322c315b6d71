import time
from typing import NoReturn

import pytest
from pytest_django import Settings

from core.breaker import CircuitOpen, Policy, breaker, state_of, states
from core.tests.platform import OwnRedis

LASTING = Policy(failures=3, window=300, cooldown=300, probe=300)
QUICK = Policy(failures=3, window=300, cooldown=0.2, probe=300)
"""Over its cooldown by the time that a test has waited for it; nothing is asserted of it before."""


class OtherSideFailed(Exception):
    pass


def fail(name: str, *, times: int = 1, policy: Policy = LASTING) -> None:
    for _ in range(times):
        with pytest.raises(OtherSideFailed), breaker(name, counts=(OtherSideFailed,), policy=policy):
            raise OtherSideFailed


def succeed(name: str) -> None:
    with breaker(name, counts=(OtherSideFailed,), policy=QUICK):
        pass


def enter_and_be_let_through(name: str) -> NoReturn:
    with breaker(name, counts=(OtherSideFailed,), policy=QUICK):
        pytest.fail("An open breaker let a caller through.")


@pytest.fixture(params=["shared", "without redis"])
def _kept(request: pytest.FixtureRequest, settings: Settings) -> None:
    """Run the test with the state in Redis, and again with the state in this process."""
    if request.param == "without redis":
        settings.STATE_URL = "redis://127.0.0.1:1/0"


@pytest.mark.usefixtures("_kept")
def test_enough_failures_open_it_and_callers_are_refused_at_once() -> None:
    fail("hooks", times=2)
    assert state_of("hooks") == "closed"
    fail("hooks")

    with pytest.raises(CircuitOpen, match="hooks failed too often"):
        enter_and_be_let_through("hooks")
    assert state_of("hooks") == "open"
    assert states()["hooks"] == "open"


@pytest.mark.usefixtures("_kept")
def test_after_the_cooldown_one_caller_tries_and_its_success_closes_it() -> None:
    fail("hooks", times=3, policy=QUICK)
    time.sleep(0.25)
    assert state_of("hooks") == "half-open"

    with breaker("hooks", counts=(OtherSideFailed,), policy=QUICK), pytest.raises(CircuitOpen):
        enter_and_be_let_through("hooks")

    assert state_of("hooks") == "closed"
    succeed("hooks")


@pytest.mark.usefixtures("_kept")
def test_a_failed_try_opens_it_again() -> None:
    fail("hooks", times=3, policy=QUICK)
    time.sleep(0.25)

    fail("hooks")

    with pytest.raises(CircuitOpen):
        enter_and_be_let_through("hooks")


@pytest.mark.usefixtures("_kept")
def test_one_breaker_says_nothing_of_another() -> None:
    fail("hooks", times=3)

    succeed("storage")
    assert state_of("storage") == "closed"


def test_errors_that_are_not_the_other_sides_do_not_count() -> None:
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), breaker("hooks", counts=(OtherSideFailed,), policy=QUICK):
            raise ZeroDivisionError

    assert state_of("hooks") == "closed"


def test_a_try_that_taught_nothing_leaves_the_next_one_to_others() -> None:
    fail("hooks", times=3, policy=QUICK)
    time.sleep(0.25)

    with pytest.raises(ZeroDivisionError), breaker("hooks", counts=(OtherSideFailed,), policy=QUICK):
        raise ZeroDivisionError

    succeed("hooks")
    assert state_of("hooks") == "closed"


def test_failures_outside_the_window_do_not_count() -> None:
    brief = Policy(failures=3, window=0.1, cooldown=5)
    for _ in range(5):
        with pytest.raises(OtherSideFailed), breaker("hooks", counts=(OtherSideFailed,), policy=brief):
            raise OtherSideFailed
        time.sleep(0.06)

    assert state_of("hooks") == "closed"


def test_a_breaker_keeps_working_when_redis_goes_away(own_redis: OwnRedis) -> None:
    fail("hooks", times=1)
    own_redis.freeze()

    fail("hooks", times=3)

    with pytest.raises(CircuitOpen):
        enter_and_be_let_through("hooks")
