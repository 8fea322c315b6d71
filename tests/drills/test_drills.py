"""Nothing acknowledged is lost, nothing is done twice: kill -9 at random while people work."""

import random
import signal
import time

import pytest

from tests.drills.house import RELAY, WEB, WEB_CHILD, WORKER, House
from tests.drills.people import Ledger, Person, every, work
from tests.drills.reckoning import reckon, report

pytestmark = pytest.mark.timeout(400)

SHORT = pytest.param(6.0, id="short")
LONG = pytest.param(90.0, id="long", marks=pytest.mark.drill)


@pytest.mark.parametrize("seconds", [SHORT, LONG])
def test_workers_relay_and_broker_are_killed_at_random(house: House, seconds: float) -> None:
    ledger = Ledger()
    people = work(house, ledger, seconds=seconds)
    chance = random.Random(4711)

    kills = every(
        # Long enough apart for a worker to come up and take tasks, which are what a kill can lose.
        lambda: chance.uniform(0.4, 2.4),
        lambda: _kill_something(house, chance),
        until=lambda: not any(person.is_alive() for person in people),
    )

    recovery = house.seconds_until_quiet(patience=240)
    result = reckon(house, ledger)
    report("kill -9 of workers, relay and broker", {**result, "kills": kills, "recovery_s": recovery})
    assert kills >= seconds / 3
    assert ledger.acked > seconds
    assert (result["lost"], result["duplicated"], result["dead_letters"], result["audit"]) == (0, 0, 0, True)
    assert ledger.errors == 0


def _kill_something(house: House, chance: random.Random) -> bool:
    what = chance.choice([RELAY, WORKER, WORKER, "broker"])
    if what != "broker":
        return house.kill(what, which=chance.randrange(8))
    house.kill_redis()
    time.sleep(chance.uniform(0, 0.5))
    house.redis.start()
    return True


@pytest.mark.drill
def test_web_processes_are_killed_while_they_answer(house: House) -> None:
    ledger = Ledger()
    people = work(house, ledger, seconds=60, on_accounts=False)
    chance = random.Random(42)

    kills = every(
        lambda: chance.uniform(1.0, 2.5),
        lambda: house.kill(chance.choice([WEB_CHILD, WEB_CHILD, WEB]), which=chance.randrange(8)),
        until=lambda: not any(person.is_alive() for person in people),
    )

    recovery = house.seconds_until_quiet(patience=120)
    result = reckon(house, ledger)
    report("kill -9 of web during POST with Idempotency-Key", {**result, "kills": kills, "recovery_s": recovery})
    assert kills > 0
    assert (result["lost"], result["duplicated"]) == (0, 0)


def test_the_broker_is_down_when_people_write(house: House) -> None:
    if house.has_rabbitmq:
        pytest.skip("The broker that BROKER_URL names is not ours to stop.")
    ledger = Ledger()
    house.kill_redis()

    for person in work(house, ledger, seconds=4):
        person.join()
    mails_before = len(house.sink.mails)
    house.redis.start()

    recovery = house.seconds_until_quiet(patience=60)
    result = reckon(house, ledger)
    report("broker down at commit", {**result, "recovery_s": recovery})
    assert ledger.acked > 0
    assert len(house.sink.mails) > mails_before
    assert (result["lost"], result["duplicated"], result["errors"]) == (0, 0, 0)


@pytest.mark.parametrize("fault", ["hung", "killed"])
def test_logout_holds_on_every_process_within_a_second_without_redis(house: House, fault: str) -> None:
    ledger = Ledger()
    person = Person(house, ledger)
    person.sign_in()
    assert set(person.statuses("/api/v1/users/me", times=20)) == {200}
    if fault == "hung":
        house.signal_redis(signal.SIGSTOP)
    else:
        house.kill_redis()

    try:
        started = time.monotonic()
        person.sign_out()
        took = time.monotonic() - started
        time.sleep(1)
        afterwards = person.statuses("/api/v1/users/me", times=20)
    finally:
        if fault == "hung":
            house.signal_redis(signal.SIGCONT)

    report(f"logout with Redis {fault}", {"logout_s": round(took, 2), "accepted_after_1_s": afterwards.count(200)})
    assert set(afterwards) == {401}
    assert ledger.errors == 0
    assert took < 2
