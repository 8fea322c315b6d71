"""Tasks that kill their workers, brokers that deliver too often, workers that are told to go in the middle of it."""

import time
from threading import Thread

import pytest

from tests.drills.house import House
from tests.drills.people import Person
from tests.drills.reckoning import report
from tests.drills.telling import (
    PER_PERSON,
    Told,
    reckon_told,
    seconds_until_told,
    settle,
    subscribe,
    tell_all,
    tell_each,
)

pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]

HEALTHY = 300
ROUNDS = 10


def test_a_task_that_kills_its_worker_runs_four_times_at_most_and_stops_no_other(house: House) -> None:
    house.enqueue("kill_its_worker", name="quick poison", after=0)
    house.enqueue("kill_its_worker", name="slow poison", after=3)
    for number in range(HEALTHY):
        house.enqueue("work", name=f"healthy {number}")

    started = time.monotonic()
    while (healthy := _healthy(house)) < HEALTHY:
        assert time.monotonic() - started < 60
        time.sleep(0.2)
    healthy_in = time.monotonic() - started
    recovery = house.seconds_until_quiet(patience=180)

    marks = house.marks()
    letters = house.rows("SELECT kwargs->>'name' AS name, reason, traceback FROM dead_letters ORDER BY name")
    report(
        "tasks that kill their worker",
        {
            "runs": {name: count for name, count in marks.items() if "poison" in name},
            "healthy": healthy,
            "healthy_in_s": round(healthy_in, 1),
            "dead_letters": len(letters),
            "recovery_s": recovery,
        },
    )
    assert {name: count for name, count in marks.items() if "poison" in name} == {"quick poison": 4, "slow poison": 4}
    assert {count for name, count in marks.items() if "healthy" in name} == {1}
    assert [(letter.name, letter.reason) for letter in letters] == [
        (name, "The worker died 4 times while running this task.") for name in ("quick poison", "slow poison")
    ]
    assert all("signal 9 (SIGKILL)" in letter.traceback for letter in letters)
    assert "in kill_its_worker\n    time.sleep(after)" in letters[1].traceback
    house.execute("DELETE FROM dead_letters")


def _healthy(house: House) -> int:
    return sum("healthy" in name for name in house.marks())


def test_messages_that_come_three_times_and_out_of_order_tell_everybody_once(house: House) -> None:
    told = settle(house, count=-(-300 // PER_PERSON))
    admin = subscribe(house, told)
    echo = house.start_module("tests.drills.echo")
    try:
        for number in range(HEALTHY):
            house.enqueue("work", name=f"echoed {number}")
        _tell(house, admin, told)
        seconds_until_told(house)
    finally:
        echo.kill()
        echo.wait()

    marks = [count for name, count in house.marks().items() if "echoed" in name]
    result = reckon_told(house, told)
    report("messages delivered three times, out of order", {"tasks": len(marks), **result})
    assert (len(marks), set(marks)) == (HEALTHY, {1})
    assert _told_once(result)


def test_workers_that_are_told_to_go_end_what_they_began(house: House) -> None:
    told = settle(house, count=-(-1000 // PER_PERSON))
    admin = subscribe(house, told)
    writers = _tell(house, admin, told, wait=False)
    took: list[float] = []
    for _ in range(ROUNDS):
        while not house.children():
            time.sleep(0.1)
        time.sleep(2)
        took.append(house.terminate_workers())
    for writer in writers:
        writer.join()

    recovery = seconds_until_told(house)
    result = reckon_told(house, told)
    longest = round(max(took), 1)
    report("SIGTERM of workers under load", {**result, "rounds": ROUNDS, "longest_s": longest, "recovery_s": recovery})
    assert longest <= 30
    assert _told_once(result)
    assert result["interrupted"] == 0


def _tell(house: House, admin: Person, told: Told, *, wait: bool = True) -> list[Thread]:
    tell_all(admin, told)
    writers = tell_each(house, told, threads=2)
    for writer in writers if wait else ():
        writer.join()
    return writers


def _told_once(result: dict[str, object]) -> bool:
    names = (
        *("lost_inside", "twice_inside", "more_than_asked", "lost_outside", "told_though_failed", "dead_letters"),
        *("again_after_silence", "again_after_a_kill", "again_without_reason", "under_another_id"),
    )
    return not result["wrong_states"] and all(result[name] == 0 for name in names)
