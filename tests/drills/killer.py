"""Kills a part of a house with -9 at random moments, and counts what it killed."""

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from tests.drills.house import RELAY, House

LONGEST_WAIT: Final = 15.0
_WEIGHTS: Final = {"child": 8, "relay": 4, "workers": 3, "broker": 3, "wiped broker": 2}


class Killer:
    """Kills now this and now that: each kind once, then by their weights.

    Not in a thread of its own: what starts Redis again has to outlive it.
    """

    def __init__(self, house: House, *, seed: int = 4711) -> None:
        self.kills: Counter[str] = Counter()
        self._house = house
        self._chance = random.Random(seed)
        self._each = list(_WEIGHTS)

    def wait(self, done: Callable[[], int], *, about: int) -> None:
        """Wait until about so much more is done, some seconds at most: a slow machine is not killed more often."""
        goal, deadline = done() + self._chance.uniform(0.2, 1.8) * about, time.monotonic() + LONGEST_WAIT
        while done() < goal and time.monotonic() < deadline:
            time.sleep(0.05)

    def strike(self, what: str = "") -> bool:
        """Kill something, or this; return whether it was there."""
        what = what or self._next()
        hit = self._kill(what)
        self.kills[what] += hit
        return hit

    def _next(self) -> str:
        kinds, weights = list(_WEIGHTS), list(_WEIGHTS.values())
        return self._each.pop(0) if self._each else self._chance.choices(kinds, weights)[0]

    @property
    def has_tried_all(self) -> bool:
        """Return whether it has come to each kind."""
        return not self._each

    def _kill(self, what: str) -> bool:
        if what == "child":
            return self._house.kill_child(which=self._chance.randrange(8))
        if what == "relay":
            return self._house.kill(RELAY)
        if what == "workers":
            return self._house.kill_workers()
        self._house.kill_redis(wiped=what == "wiped broker")
        time.sleep(self._chance.uniform(0, 0.5))
        self._house.redis.start()
        return True
