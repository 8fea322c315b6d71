"""Which patterns read one text in ever more ways: `(a|a)*`, `(.|x)*`, `([a-z.]+\\.)+`, `(a{1,3})*`.

An engine that tries every way needs time that doubles with each character. The pattern is taken for the automaton of
its places (Glushkov's): it is such a one if from some place two different walks over the same text lead back to it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

_PIECES: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[A-Za-z-]+\)|\(\?(?:P?<\w+>|[A-Za-z-]*:)|\{\d+(?:,\d*)?\}|.", re.DOTALL
)
_REPEAT: Final = re.compile(r"[*+?]|\{(\d+)(,?)(\d*)\}")
_CLASS_BY_NAME: Final = re.compile(r"\\([pP])(?:\{[^}]*\}|[A-Z])")
_WITHOUT_WIDTH: Final = frozenset({"^", "$", r"\b", r"\B", r"\A", r"\z"})
_SAMPLES: Final = "".join(map(chr, range(32, 127))) + "\t\néßЖ中\u0661😀"
_MOST_PLACES: Final = 60
_MOST_STEPS: Final = 20_000
_DEEPEST: Final = 40
_COPIES: Final = 3

Pair = tuple[int, int]


@dataclass(slots=True)
class _Part:
    """A piece of a pattern: whether it may read nothing, and at which places its reading begins and ends."""

    is_empty: bool = True
    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()


class _TooLarge(Exception):
    pass


@dataclass(slots=True)
class _Automaton:
    """The places of a pattern: which characters each reads, and which may come next."""

    pieces: list[str]
    flags: int
    reads: list[frozenset[str]] = field(default_factory=list)
    follows: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    at: int = 0
    depth: int = 0
    steps: int = 0

    def choice(self) -> _Part:
        """Read alternatives up to the end of their group."""
        parts = [self._sequence()]
        while self._next() == "|":
            self.at += 1
            parts.append(self._sequence())
        return _Part(any(one.is_empty for one in parts), _union(p.first for p in parts), _union(p.last for p in parts))

    def _sequence(self) -> _Part:
        whole = _Part()
        while self._next() not in ("", "|", ")"):
            whole = self._joined(whole, self._repeated())
        return whole

    def _repeated(self) -> _Part:
        begin = self.at
        part = self._atom()
        end, mark = self.at, _REPEAT.fullmatch(self._next())
        if mark is None:
            return part
        least, most = _bounds(mark)
        for copy in range(1, min(most or 1, _COPIES)):
            self.at = begin
            again = self._atom()
            part = self._joined(part, _Part(again.is_empty or copy >= least, again.first, again.last))
        self.at = end + 1
        self.at += self._next() == "?"
        if most is None:
            self._lead(part.last, part.first)
        return _Part(part.is_empty or least == 0, part.first, part.last)

    def step(self) -> None:
        """Count a step; raises `_TooLarge` after too many."""
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise _TooLarge

    def _atom(self) -> _Part:
        self.step()
        piece = self._next()
        self.at += 1
        if piece.startswith("(") and not piece.endswith(")"):
            return self._group()
        return _Part() if piece in _WITHOUT_WIDTH or piece.startswith("(") else self._place(piece)

    def _group(self) -> _Part:
        if self.depth == _DEEPEST:
            raise _TooLarge
        self.depth += 1
        inner = self.choice()
        self.depth -= 1
        self.at += 1
        return inner

    def _place(self, piece: str) -> _Part:
        if len(self.reads) == _MOST_PLACES:
            raise _TooLarge
        self.reads.append(_read_by(piece, self.flags))
        here = frozenset({len(self.reads) - 1})
        return _Part(False, here, here)

    def _joined(self, one: _Part, other: _Part) -> _Part:
        self._lead(one.last, other.first)
        first = one.first | other.first if one.is_empty else one.first
        last = one.last | other.last if other.is_empty else other.last
        return _Part(one.is_empty and other.is_empty, first, last)

    def _lead(self, ends: frozenset[int], beginnings: frozenset[int]) -> None:
        for end in ends:
            self.follows[end] |= beginnings

    def _next(self) -> str:
        return self.pieces[self.at] if self.at < len(self.pieces) else ""


def is_ambiguous(pattern: str) -> bool:
    """Return whether the ways to read a text grow without bound; one that is too large is not looked at."""
    named = _CLASS_BY_NAME.sub(lambda found: r"\w" if found[1] == "p" else r"\W", pattern)
    automaton = _Automaton(_PIECES.findall(named), re.IGNORECASE if "(?i" in pattern else 0)
    try:
        automaton.choice()
        return any(_comes_back_otherwise(automaton, place) for place in range(len(automaton.reads)))
    except _TooLarge:
        return False


def _comes_back_otherwise(automaton: _Automaton, place: int) -> bool:
    """Return whether two walks from the place, over the same text and not always together, meet there again."""
    before: defaultdict[Pair, set[Pair]] = defaultdict(set)
    ahead = [(place, place)]
    while ahead:
        pair = ahead.pop()
        for following in _steps(automaton, pair):
            if following not in before:
                ahead.append(following)
            before[following].add(pair)
    return any(one != other for one, other in _leading_to((place, place), before))


def _leading_to(pair: Pair, before: dict[Pair, set[Pair]]) -> set[Pair]:
    found: set[Pair] = set()
    back = list(before.get(pair, ()))
    while back:
        one = back.pop()
        if one not in found:
            found.add(one)
            back.extend(before.get(one, ()))
    return found


def _steps(automaton: _Automaton, pair: Pair) -> Iterator[Pair]:
    for one in automaton.follows[pair[0]]:
        for other in automaton.follows[pair[1]]:
            automaton.step()
            if automaton.reads[one] & automaton.reads[other]:
                yield (one, other) if one <= other else (other, one)


def _bounds(mark: re.Match[str]) -> tuple[int, int | None]:
    """Return how often at least and at most; None is without end."""
    if mark[0] in "*+?":
        return int(mark[0] == "+"), 1 if mark[0] == "?" else None
    least = int(mark[1])
    return least, int(mark[3]) if mark[3] else None if mark[2] else least


def _read_by(piece: str, flags: int) -> frozenset[str]:
    """Return which of the samples the piece reads, and itself where it is a character; nothing where it is foreign."""
    try:
        found = re.compile(piece if len(piece) > 1 or piece == "." else re.escape(piece), flags)
    except re.error:
        return frozenset()
    return frozenset(sample for sample in {*_SAMPLES, *piece} if found.fullmatch(sample))


def _union(sets: Iterator[frozenset[int]]) -> frozenset[int]:
    return reduce(frozenset.union, sets, frozenset())
