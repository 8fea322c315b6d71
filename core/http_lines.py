"""Connections that are kept for the next request to the same place, for as long as that is as good as a new one.

One that has been idle for a moment is hung up: servers do so after five seconds, some of them, and what is sent in that
very moment is lost. The place says who was allowed there, too: nobody goes over a connection that they could not open.
"""

import atexit
import os
import threading
import time
from collections import deque
from typing import Final, Generic, Protocol, TypeVar

IDLE_SECONDS: Final = 3.0
LONGEST_AGE: Final = 60.0
"""For how many seconds a connection is used: a name that leads to another machine by now is asked for again."""

MOST_OF_A_PLACE: Final = 16
MOST: Final = 64

Place = tuple[str, str, int, frozenset[str], str]
"""What two requests need to have in common: scheme, host, port, whom the operator vouches for, whom we trust."""


class Line(Protocol):
    """A connection, over which one request goes at a time."""

    opened_at: float
    idle_since: float

    def is_silent(self) -> bool:
        """Return whether it is open, and the other side has said nothing unasked."""

    def hang_up(self) -> None:
        """Close it."""


Kept = TypeVar("Kept", bound=Line)


class KeptLines(Generic[Kept]):
    """The idle connections of this process; one that is in use stands in no list."""

    def __init__(self) -> None:
        self._lines: dict[Place, deque[Kept]] = {}
        self._begin_anew()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._begin_anew)

    def take(self, place: Place) -> Kept | None:
        """Return a connection there that is still good, the one used last."""
        while True:
            with self._lock:
                lines = self._lines.get(place)
                line = lines.pop() if lines else None
                if not lines:
                    self._lines.pop(place, None)
            if line is None or (not _is_old(line) and line.is_silent()):
                return line
            line.hang_up()

    def give_back(self, place: Place, line: Kept) -> None:
        """Keep it for the next request; where there are too many, the one that has waited longest is hung up."""
        line.idle_since = time.monotonic()
        if _is_old(line):
            line.hang_up()
            return
        with self._lock:
            lines = self._lines.setdefault(place, deque())
            lines.append(line)
            surplus = [lines.popleft()] if len(lines) > MOST_OF_A_PLACE or self._count() > MOST else []
            self._look_again()
        for one in surplus:
            one.hang_up()

    def close(self) -> None:
        """Hang up everywhere."""
        with self._lock:
            kept, self._lines = self._lines, {}
        for lines in kept.values():
            for line in lines:
                line.hang_up()

    def _begin_anew(self) -> None:
        # A forked child has its parent's sockets, which it must not use, and not its threads.
        inherited, self._lines = self._lines, {}
        self._lock = threading.Lock()
        self._watch: threading.Timer | None = None
        for lines in inherited.values():
            for line in lines:
                line.hang_up()

    def _count(self) -> int:
        return sum(map(len, self._lines.values()))

    def _look_again(self) -> None:
        if self._watch is None:
            self._watch = threading.Timer(IDLE_SECONDS, self._hang_up_on_the_old)
            self._watch.daemon = True
            self._watch.start()

    def _hang_up_on_the_old(self) -> None:
        with self._lock:
            old = [line for lines in self._lines.values() for line in lines if _is_old(line)]
            kept = {place: deque(line for line in lines if line not in old) for place, lines in self._lines.items()}
            self._lines = {place: lines for place, lines in kept.items() if lines}
            self._watch = None
            if self._lines:
                self._look_again()
        for line in old:
            line.hang_up()


def _is_old(line: Line) -> bool:
    now = time.monotonic()
    return now - line.opened_at >= LONGEST_AGE or now - line.idle_since >= IDLE_SECONDS
