"""Whom a text mentions.

`@[Olive](user:0193…)` names a person beyond doubt: what clients write for whoever was picked from a list. `@Olive
Owner` names whoever is called so among the people at hand, in any case, the longest name that fits; two people of
one name are both meant. An `@` inside a word (an e-mail address) mentions nobody.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from uuid import UUID

MOST_MENTIONED: Final = 50
"""How many people one text can mention; the first ones count."""

_PICKED: Final = re.compile(
    r"@\[([^\]\n]{1,255})\]\(user:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\)", re.IGNORECASE
)


def picked(text: str) -> list[UUID]:
    """Return the ids that the text names, in its order, each once; nobody has said that there are such users."""
    found = dict.fromkeys(UUID(match[2]) for match in _PICKED.finditer(text))
    return list(found)[:MOST_MENTIONED]


def named(text: str, people: Iterable[tuple[UUID, str]]) -> list[UUID]:
    """Return those of the people (id and name) whom the text names by `@name`, in its order, each once."""
    by_name: dict[str, list[UUID]] = {}
    for person, name in people:
        by_name.setdefault(_folded(name), []).append(person)
    lengths = sorted({len(name) for name in by_name if name}, reverse=True)
    found: dict[UUID, None] = {}
    for rest in _after_signs(_folded(_PICKED.sub(" ", text))):
        meant = next((by_name[rest[:size]] for size in lengths if rest[:size] in by_name and _ends(rest, size)), [])
        found.update(dict.fromkeys(meant))
    return list(found)[:MOST_MENTIONED]


def for_people(text: str) -> str:
    """Return the text as people read it: `@Olive` for whoever was picked from a list."""
    return _PICKED.sub(r"@\1", text)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _after_signs(text: str) -> Iterable[str]:
    """Yield what follows each `@` that begins a word; names are no longer than 255 characters, folded 765."""
    for place, character in enumerate(text):
        if character == "@" and not (place and text[place - 1].isalnum()):
            yield text[place + 1 : place + 767]


def _ends(rest: str, size: int) -> bool:
    return not rest[size : size + 1].isalnum()
