"""How long something takes, on a machine that does other work beside it."""

import time
from collections.abc import Callable


def quickest(act: Callable[[], object], *, under: float, tries: int = 5) -> float:
    """Return how many seconds `act` takes at its best; once that is below `under`, no more tries are made.

    What else the machine does only ever adds to a measurement, so the shortest one is the nearest to the truth.
    """
    best = float("inf")
    for _ in range(tries):
        started = time.monotonic()
        act()
        best = min(best, time.monotonic() - started)
        if best < under:
            break
    return best
