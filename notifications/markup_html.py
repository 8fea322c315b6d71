"""Which HTML staff may write into a mail: elements and attributes of text, none that runs, loads or asks for input.

A variable stands in text, or in a quoted attribute that shows it; never where it could become a tag or an attribute.
Each `<` has to begin a tag of the list, so what a mail program makes of it is what was judged here.
"""

import re
from collections.abc import Iterator
from typing import Final

VARIABLE: Final = "\ue000"
BLOCK: Final = "\ue001"
"""What stands for a variable, and for a `{% … %}`, while the tags are judged."""

_ELEMENTS: Final = frozenset(
    (
        *(
            "a",
            "abbr",
            "b",
            "blockquote",
            "br",
            "center",
            "code",
            "div",
            "em",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "hr",
            "i",
            "img",
        ),
        *(
            "li",
            "ol",
            "p",
            "pre",
            "q",
            "s",
            "small",
            "span",
            "strong",
            "sub",
            "sup",
            "table",
            "tbody",
            "td",
            "tfoot",
            "th",
            "thead",
            "tr",
            "u",
            "ul",
        ),
    )
)
_ATTRIBUTES: Final = frozenset(
    (
        *("align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "class", "colspan", "dir", "height"),
        *("href", "lang", "role", "rowspan", "src", "style", "title", "valign", "width"),
    )
)
_SHOWING: Final = frozenset({"href", "src", "alt", "title"})
_ADDRESSES: Final = frozenset({"href", "src"})
_SCHEMES: Final = ("https://", "http://", "mailto:")

_VALUE: Final = rf""""[^"<{BLOCK}]*+"|'[^'<{BLOCK}]*+'"""
_TAG: Final = re.compile(
    rf"<(?P<name>/?[a-zA-Z][a-zA-Z0-9]*+)(?P<attributes>(?:\s++[a-zA-Z-]++(?:\s*+=\s*+(?:{_VALUE}))?+)*+)\s*+/?>"
)
_ATTRIBUTE: Final = re.compile(rf"\s++(?P<name>[a-zA-Z-]++)(?:\s*+=\s*+(?P<value>{_VALUE}))?+")


class HtmlFault(ValueError):
    """There is something in the HTML that cannot stand in a mail; the message says what, and in which line."""


def holds_marks(source: str) -> bool:
    """Return whether the text holds the characters that stand for variables and blocks."""
    return VARIABLE in source or BLOCK in source


def addresses_in(skeleton: str) -> frozenset[int]:
    """Return which of the variables, counted from 0, are a whole `href` or `src`; raises `HtmlFault`."""
    found: set[int] = set()
    place, line, seen = 0, 1, 0
    while (start := skeleton.find("<", place)) >= 0:
        line += skeleton.count("\n", place, start)
        seen += skeleton.count(VARIABLE, place, start)
        match = _TAG.match(skeleton, start)
        if match is None:
            raise HtmlFault(f"Line {line}: {_shown(skeleton[start : start + 40])} begins no tag; write &lt; for a <.")
        try:
            found |= {seen + number for number in _addresses_of(match)}
        except HtmlFault as fault:
            raise HtmlFault(f"Line {line}: {fault}") from None
        place = match.end()
        line += match[0].count("\n")
        seen += match[0].count(VARIABLE)
    return frozenset(found)


def _addresses_of(tag: re.Match[str]) -> Iterator[int]:
    """Yield which of the tag's variables are a whole address; raises `HtmlFault` for what cannot stand in it."""
    name = tag["name"].lower().removeprefix("/")
    if name not in _ELEMENTS:
        raise HtmlFault(f"<{name}> cannot stand here; there are {', '.join(sorted(_ELEMENTS))}.")
    for attribute in _ATTRIBUTE.finditer(tag["attributes"]):
        what, value = attribute["name"].lower(), (attribute["value"] or "")[1:-1]
        if what not in _ATTRIBUTES:
            raise HtmlFault(f"the attribute {what} cannot stand here.")
        if VARIABLE in value and what not in _SHOWING:
            raise HtmlFault(f"a variable cannot stand in {what}.")
        if what in _ADDRESSES:
            _refuse_bad_address(value)
            if value == VARIABLE:
                yield tag["attributes"].count(VARIABLE, 0, attribute.start())


def _refuse_bad_address(value: str) -> None:
    if value != VARIABLE and not value.startswith(_SCHEMES):
        raise HtmlFault("an address is one variable alone, or begins with https://, http:// or mailto:.")


def _shown(text: str) -> str:
    return repr(text.replace(VARIABLE, "{{ }}").replace(BLOCK, "{% %}"))
