"""What an access review says of each user beyond their account: every app adds columns in its `access_columns.py`.

    @access_columns("shares_held", "shares_given")
    def shares(user_ids: Sequence[UUID]) -> Mapping[UUID, Cells]:
        return {user_id: (held, given) for …}

It is asked about some hundred users at once, answers in a fixed number of queries, and may leave users out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

Cells: TypeAlias = tuple[str | int, ...]
Reader: TypeAlias = Callable[[Sequence[UUID]], Mapping[UUID, Cells]]


@dataclass(frozen=True, slots=True)
class Columns:
    """Some columns, and who fills them."""

    names: tuple[str, ...]
    read: Reader


REGISTERED: Final[list[Columns]] = []


def access_columns(*names: str) -> Callable[[Reader], Reader]:
    """Register the columns that the function fills; raises `ValueError` for a name that is taken."""

    def register(function: Reader) -> Reader:
        taken = {name for columns in REGISTERED for name in columns.names} & set(names)
        if taken:
            raise ValueError(f"There are columns {sorted(taken)} already.")
        REGISTERED.append(Columns(names, function))
        return function

    return register


def cells_of(user_ids: Sequence[UUID]) -> dict[UUID, dict[str, str | int]]:
    """Return what all registered columns say of each of the users."""
    found: dict[UUID, dict[str, str | int]] = {user_id: {} for user_id in user_ids}
    for columns in REGISTERED:
        told = columns.read(user_ids)
        for user_id, cells in found.items():
            cells.update(zip(columns.names, told.get(user_id, ("",) * len(columns.names)), strict=True))
    return found
