"""Which patterns need time without bound where the engine tries every way: in the programs that take our schemas over.

Our own engine reads each text once, whatever the pattern; but types are given out, and most programs match otherwise.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_PIECES: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:P?<\w+>|[A-Za-z-]*:)|\{\d+(?:,\d*)?\}|.", re.DOTALL)
_ENDLESS: Final = re.compile(r"[*+]|\{\d+,\}")
_REPEATS: Final = re.compile(r"[*+?]|\{\d+(?:,\d*)?\}")
_WITHOUT_WIDTH: Final = frozenset({"^", "$", r"\b", r"\B", r"\A", r"\z"})


@dataclass(slots=True)
class _Part:
    """A piece of an alternative: whether it repeats without end, must be there, and is a group of endless repeats."""

    is_endless: bool = False
    is_needed: bool = True
    is_group: bool = False
    is_repeated: bool = False


@dataclass(slots=True)
class _Group:
    alternatives: list[list[_Part]] = field(default_factory=lambda: [[]])

    def as_part(self) -> _Part:
        endless = any(_is_endless(parts) for parts in self.alternatives)
        needed = all(any(part.is_needed for part in parts) for parts in self.alternatives)
        return _Part(is_endless=endless, is_needed=needed, is_group=endless)


def backtracks(pattern: str) -> bool:
    """Return whether an endless repeat is all that another endless repeat repeats, as in `(a+)+` and `(\\w+ ?)*`."""
    groups = [_Group()]
    for piece in _pieces(pattern):
        parts = groups[-1].alternatives[-1]
        if piece.startswith("("):
            groups.append(_Group())
        elif piece == ")" and len(groups) > 1:
            closed = groups.pop().as_part()
            groups[-1].alternatives[-1].append(closed)
        elif piece == "|":
            groups[-1].alternatives.append([])
        elif not (_REPEATS.fullmatch(piece) and parts):
            parts.append(_Part(is_needed=piece not in _WITHOUT_WIDTH))
        elif _repeats_repeats(parts[-1], piece):
            return True
    return False


def _pieces(pattern: str) -> Iterator[str]:
    return (match[0] for match in _PIECES.finditer(pattern))


def _is_endless(parts: list[_Part]) -> bool:
    """Return whether the alternative is one endless repeat, and else nothing that must be there."""
    needed = [part for part in parts if part.is_needed]
    return any(part.is_endless for part in parts) and len(needed) <= 1 and all(part.is_endless for part in needed)


def _repeats_repeats(part: _Part, piece: str) -> bool:
    """Let the part be repeated as the piece says; return whether that is an endless repeat of endless repeats."""
    if part.is_repeated:
        # A second mark (`a+?`) says how to match, not what.
        return False
    part.is_repeated = True
    part.is_needed = part.is_needed and piece not in ("*", "?") and not piece.startswith("{0")
    is_endless = _ENDLESS.fullmatch(piece) is not None
    is_doubled = is_endless and part.is_group
    part.is_endless = part.is_endless or is_endless
    return is_doubled
