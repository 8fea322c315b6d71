"""Ten thousand notifications over every channel, while workers, relay and broker are killed and peers misbehave."""

import os
import threading
import time

import pytest

from tests.drills.books import troubled, willing
from tests.drills.house import House
from tests.drills.killer import Killer
from tests.drills.reckoning import report
from tests.drills.telling import (
    PER_PERSON,
    Told,
    open_ones,
    reckon_told,
    seconds_until_told,
    settle,
    subscribe,
    tell_all,
    tell_each,
)

pytestmark = pytest.mark.timeout(3000)

# Of the small one, a kill of each kind; of the large one, a kill at about each hundredth until nearly all is told.
SMALL = pytest.param(300, 10, True, id="small")
SIZE = int(os.environ.get("DRILL_NOTIFICATIONS", "10000"))
LARGE = pytest.param(SIZE, 100, False, id="large", marks=pytest.mark.drill)
NOTHING = {
    "lost_inside": 0,
    "twice_inside": 0,
    "more_than_asked": 0,
    "lost_outside": 0,
    "told_though_failed": 0,
    "again_without_reason": 0,
    "wrong_states": [],
    "under_another_id": 0,
    "dead_letters": 0,
}


@pytest.mark.parametrize(("size", "apart", "is_short"), [SMALL, LARGE])
def test_notifications_on_every_channel_survive_kills_of_everything(
    house: House, size: int, apart: int, is_short: bool
) -> None:
    told = settle(house, count=-(-size // PER_PERSON))
    admin = subscribe(house, told)
    house.peers.books.script = troubled(one_in=60 if is_short else 400)
    killer, started = Killer(house), time.monotonic()
    tell_all(admin, told)
    writers = tell_each(house, told, threads=3)
    while not killer.has_tried_all or not (is_short or _little_is_left(house, told, writers)):
        killer.wait(house.peers.books.count, about=apart)
        killer.strike()
    for writer in writers:
        writer.join()

    house.peers.books.script = willing
    recovery = seconds_until_told(house)
    result = reckon_told(house, told)
    report(
        "kill -9 of worker, child, relay and broker during notifications on every channel",
        {
            **result,
            "kills": dict(killer.kills),
            "seconds": round(time.monotonic() - started, 1),
            "recovery_s": recovery,
            "errors": told.ledger.errors,
        },
    )
    assert result["notifications"] >= size
    assert {name: result[name] for name in NOTHING} == NOTHING
    assert told.ledger.errors == 0


def _little_is_left(house: House, told: Told, writers: list[threading.Thread]) -> bool:
    return not any(writer.is_alive() for writer in writers) and open_ones(house) < told.notifications / 20
