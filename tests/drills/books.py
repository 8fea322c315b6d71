"""What the peers of a drilled house took, by the id that each came under, and which trouble they make."""

import threading
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


class Trouble(Enum):
    """What a peer does instead of saying yes."""

    NONE = auto()
    BUSY = auto()
    """It says that it cannot now: 421, 450, 429, 503."""
    RESET = auto()
    """It drops the connection, and has taken nothing."""
    HANG = auto()
    """It has taken the message, and says nothing more."""
    CUT = auto()
    """It has taken the message, and drops the connection before it says so."""


Script = Callable[[str, str, int], Trouble]
"""From the channel, the id and how often it was asked before."""

TAKEN_SILENTLY: Final = frozenset({Trouble.HANG, Trouble.CUT})


def willing(channel: str, name: str, asked: int) -> Trouble:
    """Be a peer that always says yes."""
    return Trouble.NONE


def troubled(*, one_in: int) -> Script:
    """Return a script of whose first tries one in so many hangs, two are cut off, one is reset and some are busy."""

    def script(channel: str, name: str, asked: int) -> Trouble:
        draw = one_in if asked else zlib.crc32(f"{channel} {name}".encode()) % one_in
        return _DRAWS.get(draw, Trouble.BUSY if draw < _BUSY else Trouble.NONE)

    return script


_DRAWS: Final = {0: Trouble.HANG, 1: Trouble.CUT, 2: Trouble.CUT, 3: Trouble.RESET}
_BUSY: Final = 12


@dataclass
class Books:
    """The books of all peers; each writes down what it takes before it says so."""

    script: Script = willing
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    silently: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of these, what was taken without a yes that could be heard."""
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, channel: str, name: str) -> Trouble:
        """Be offered a message, and write down what becomes of it."""
        key = (channel, name)
        with self._lock:
            trouble = self.script(channel, name, self.asked[key])
            self.asked[key] += 1
            self.taken[key] += trouble is Trouble.NONE or trouble in TAKEN_SILENTLY
            self.silently[key] += trouble in TAKEN_SILENTLY
            if trouble is not Trouble.NONE:
                self.troubles[trouble.name.lower()] += 1
            return trouble

    def count(self) -> int:
        """Return how much was taken so far."""
        return self.taken.total()
