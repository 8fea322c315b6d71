"""Who may still read what a notification is about: each app says it for its own subjects.

    @readers_of("resource")
    def readers(subject_id: str, user_ids: set[UUID]) -> set[UUID]: ...

It is asked when somebody is to be told, and again before what had to wait leaves. About a subject that nobody speaks
for everybody may be told.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias
from uuid import UUID

Readers: TypeAlias = Callable[[str, set[UUID]], set[UUID]]

_READERS: Final[dict[str, Readers]] = {}


def readers_of(subject_type: str) -> Callable[[Readers], Readers]:
    """Register who of some people may read a subject of this type at this moment."""

    def register(function: Readers) -> Readers:
        if _READERS.setdefault(subject_type, function).__qualname__ != function.__qualname__:
            raise ValueError(f"Somebody speaks for {subject_type!r} already.")
        return function

    return register


def readers_among(subject_type: str, subject_id: str, user_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the people who may read the subject."""
    asked = set(user_ids)
    function = _READERS.get(subject_type)
    return function(subject_id, asked) if function is not None and asked else asked
