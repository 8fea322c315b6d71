"""The language of the texts that staff write: variables and `{% if %}`, and nothing that could run, walk or load.

    Hello {{ name }},
    {% if valid_for %}The link works for {{ valid_for }}.{% else %}The link works once.{% endif %}

A variable is a plain string of the kind; it has no members. There are no loops, no includes and no filters but
`linebreaksbr` (in HTML), so writing a text takes as long as it is. It is not Django's language with parts switched
off: what does not exist needs no guard.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import Final, TypeAlias

from notifications.markup_html import BLOCK, VARIABLE, HtmlFault, addresses_in, holds_marks

MOST_SOURCE: Final = 50_000
MOST_RENDERED: Final = 200_000
_MOST_DEPTH: Final = 10
_MOST_IN_BRACES: Final = 200

_OPENING: Final = re.compile(r"\{[{%#]")
_CLOSING: Final = {"{{": "}}", "{%": "%}"}
_VARIABLE: Final = re.compile(r"([a-z][a-z0-9_]*)(?:\s*\|\s*(linebreaksbr))?", re.ASCII)
_IF: Final = re.compile(r"if\s+(not\s+)?([a-z][a-z0-9_]*)", re.ASCII)
_ADDRESS: Final = re.compile(r"(?:https?://|mailto:)\S+")


class MarkupFault(ValueError):
    """The text cannot be taken, or not be filled in; the message says why, and in which line."""


@dataclass(frozen=True, slots=True)
class _Words:
    text: str


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    breaks_lines: bool = False
    is_address: bool = False


@dataclass(slots=True)
class _Choice:
    name: str
    is_negated: bool
    then: "list[_Node]" = field(default_factory=list)
    otherwise: "list[_Node]" = field(default_factory=list)
    has_else: bool = False

    @property
    def branch(self) -> "list[_Node]":
        """Return where what comes next stands."""
        return self.otherwise if self.has_else else self.then


_Node: TypeAlias = _Words | _Variable | _Choice


@dataclass(frozen=True, slots=True)
class Markup:
    """A text that was read and found good, ready to be filled in."""

    nodes: tuple[_Node, ...]
    is_html: bool

    def fill(self, values: Mapping[str, object]) -> str:
        """Return the text with the values in it; raises `MarkupFault` where that is too long."""
        parts: list[str] = []
        length = 0
        for part in _filled(self.nodes, values, is_html=self.is_html):
            length += len(part)
            if length > MOST_RENDERED:
                raise MarkupFault(f"It becomes longer than {MOST_RENDERED:,} characters.")
            parts.append(part)
        return "".join(parts)

    @property
    def certain(self) -> frozenset[str]:
        """Return the variables that stand in it whatever else holds."""
        return _certain(self.nodes)


@lru_cache(maxsize=1000)
def read(source: str, *, variables: frozenset[str], is_html: bool = False) -> Markup:
    """Return the text, read; raises `MarkupFault` for what cannot stand in it."""
    if len(source) > MOST_SOURCE:
        raise MarkupFault(f"It is longer than {MOST_SOURCE:,} characters.")
    if "\0" in source or holds_marks(source):
        raise MarkupFault("It holds a character that cannot be sent.")
    reader = _Reader(variables, is_html, _addresses(source) if is_html else frozenset())
    for line, opening, inner in _pieces(source):
        try:
            reader.take(opening, inner)
        except MarkupFault as fault:
            raise MarkupFault(f"Line {line}: {fault}") from None
    return Markup(reader.finished(), is_html)


class _Reader:
    """Puts the pieces of one text together."""

    def __init__(self, variables: frozenset[str], is_html: bool, addresses: frozenset[int]) -> None:
        self._variables = variables
        self._is_html = is_html
        self._addresses = addresses
        self._seen = 0
        self._open = [_Choice("", is_negated=False)]

    def take(self, opening: str, inner: str) -> None:
        """Add what stands behind these braces, or words."""
        if opening == "{{":
            is_address = self._seen in self._addresses
            self._open[-1].branch.append(_variable(inner, self._variables, self._is_html, is_address))
            self._seen += 1
        elif opening == "{%":
            _block(inner, self._open, self._variables)
        elif inner:
            self._open[-1].branch.append(_Words(inner))

    def finished(self) -> tuple[_Node, ...]:
        """Return all of it; raises `MarkupFault` where something was left open."""
        if len(self._open) > 1:
            raise MarkupFault(f"{{% if {self._open[-1].name} %}} has no {{% endif %}}.")
        return tuple(self._open[0].then)


def _pieces(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, opening braces (none for words) and what stands in them."""
    place, line = 0, 1
    while (opening := _OPENING.search(source, place)) is not None:
        yield line, "", source[place : opening.start()]
        line += source.count("\n", place, opening.start())
        closing = _CLOSING.get(opening[0])
        if closing is None:
            raise MarkupFault(f"Line {line}: there are no comments; {{# cannot stand here.")
        end = source.find(closing, opening.end(), opening.end() + _MOST_IN_BRACES)
        if end < 0:
            raise MarkupFault(f"Line {line}: {opening[0]} has no {closing} after it.")
        yield line, opening[0], source[opening.end() : end].strip()
        line += source.count("\n", opening.start(), end)
        place = end + len(closing)
    yield line, "", source[place:]


def _variable(inner: str, variables: frozenset[str], is_html: bool, is_address: bool) -> _Variable:
    match = _VARIABLE.fullmatch(inner)
    if match is None:
        raise MarkupFault(f"only the name of a variable can stand between {{{{ and }}}}, not {inner[:60]!r}.")
    _refuse_unknown(match[1], variables)
    if match[2] and not is_html:
        raise MarkupFault("linebreaksbr is for the HTML part.")
    return _Variable(match[1], bool(match[2]), is_address)


def _block(inner: str, open_choices: list[_Choice], variables: frozenset[str]) -> None:
    match = _IF.fullmatch(inner)
    if match is not None:
        _refuse_unknown(match[2], variables)
        if len(open_choices) > _MOST_DEPTH:
            raise MarkupFault(f"there are more than {_MOST_DEPTH} {{% if %}} in each other.")
        choice = _Choice(match[2], bool(match[1]))
        open_choices[-1].branch.append(choice)
        open_choices.append(choice)
    elif inner in {"else", "endif"} and len(open_choices) == 1:
        raise MarkupFault(f"{{% {inner} %}} has no {{% if %}} before it.")
    elif inner == "else" and not open_choices[-1].has_else:
        open_choices[-1].has_else = True
    elif inner == "endif":
        open_choices.pop()
    else:
        raise MarkupFault(
            f"{{% {inner[:60]} %}} cannot stand here; there are {{% if name %}}, {{% if not name %}}, {{% else %}} and "
            "{% endif %}."
        )


def _refuse_unknown(name: str, variables: frozenset[str]) -> None:
    if name not in variables:
        raise MarkupFault(f"there is no variable {name}; there are {', '.join(sorted(variables))}.")


def _addresses(source: str) -> frozenset[int]:
    """Return which of the variables, counted from 0, are a whole `href` or `src`."""
    marks = {"": "", "{{": VARIABLE, "{%": BLOCK}
    skeleton = "".join(inner if not opening else marks[opening] for _, opening, inner in _pieces(source))
    try:
        return addresses_in(skeleton)
    except HtmlFault as fault:
        raise MarkupFault(str(fault)) from None


def _filled(nodes: "tuple[_Node, ...] | list[_Node]", values: Mapping[str, object], *, is_html: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, _Words):
            yield node.text
        elif isinstance(node, _Variable):
            text = _text_of(values, node.name)
            yield _in_html(node, text) if is_html else text
        else:
            holds = bool(_text_of(values, node.name)) is not node.is_negated
            yield from _filled(node.then if holds else node.otherwise, values, is_html=is_html)


def _text_of(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    return "" if value is None else str(value)


def _in_html(node: _Variable, text: str) -> str:
    if node.is_address and not _ADDRESS.fullmatch(text):
        return ""
    escaped = escape(text)
    return escaped.replace("\r\n", "\n").replace("\n", "<br>\n") if node.breaks_lines else escaped


def _certain(nodes: "tuple[_Node, ...] | list[_Node]") -> frozenset[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, _Variable):
            found.add(node.name)
        elif isinstance(node, _Choice):
            then, otherwise = _certain(node.then), _certain(node.otherwise)
            shown = otherwise if node.is_negated else then
            found |= then & otherwise
            # Where a variable is empty there is nothing to show of it.
            found |= {node.name} & shown
    return frozenset(found)
