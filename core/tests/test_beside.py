"""Work that takes long is left to a thread, in a child of a worker's pool and nowhere else."""

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from core import beside, context
from core.tests.test_outages import eventually

WAITED_FOR = 60.0


@pytest.fixture
def gate(a_pool_child: None) -> Iterator[threading.Event]:
    """A gate that long work waits for."""
    gate = threading.Event()
    yield gate
    gate.set()


def leave_behind(gate: threading.Event, lane: str = "slow") -> None:
    with pytest.raises(beside.LeftBehind):
        beside.run(lane, lambda: gate.wait(WAITED_FOR))


def test_elsewhere_everything_is_done_at_once() -> None:
    assert beside.run("slow", threading.get_ident) == threading.get_ident()


def test_what_is_quick_returns_its_result(gate: threading.Event) -> None:
    assert beside.run("quick", lambda: "done") == "done"
    assert beside.has_room("quick")


def test_what_is_quick_raises_what_it_raises(gate: threading.Event) -> None:
    with pytest.raises(ZeroDivisionError):
        beside.run("quick", lambda: 1 // 0)


def test_what_takes_long_goes_on_without_being_waited_for(gate: threading.Event) -> None:
    done: list[str] = []

    def work() -> None:
        gate.wait(WAITED_FOR)
        done.append("done")

    with pytest.raises(beside.LeftBehind):
        beside.run("slow", work)
    assert done == []

    gate.set()
    beside.wait_for_all(seconds=WAITED_FOR)
    assert done == ["done"]


def test_the_second_is_waited_for_more_briefly(gate: threading.Event) -> None:
    leave_behind(gate)
    started = time.monotonic()
    leave_behind(gate)

    assert time.monotonic() - started < beside.PATIENCE_SECONDS


def test_a_full_lane_leaves_the_others_their_room(gate: threading.Event) -> None:
    for _ in range(beside.LANE_WIDTH):
        leave_behind(gate)

    assert (beside.has_room("slow"), beside.has_room("quick")) == (False, True)
    gate.set()
    beside.wait_for_all(seconds=WAITED_FOR)
    assert beside.has_room("slow")


def test_a_thread_works_in_the_context_of_its_task(gate: threading.Event) -> None:
    with context.working(context.WorkContext("req_1", "")):
        assert beside.run("quick", lambda: context.current().request_id) == "req_1"


def test_a_failure_that_nobody_waits_for_is_logged(gate: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    def stumble() -> None:
        gate.wait(WAITED_FOR)
        raise ValueError("a stone")

    with pytest.raises(beside.LeftBehind):
        beside.run("slow", stumble)
    with caplog.at_level(logging.WARNING, "core.beside"):
        gate.set()
        eventually(lambda: bool(caplog.records))

    assert [record.message for record in caplog.records] == ["work left behind failed"]
