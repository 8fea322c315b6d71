"""Who somebody is at this moment, for work that they asked for earlier, on floors that know no accounts.

The floor that knows them registers itself when the server starts; a lower one asks here.
"""

from typing import Final, Protocol
from uuid import UUID

from core.permissions import Caller


class Standing(Protocol):
    """Returns the caller as they would be let in now; None for one who would not be."""

    def __call__(
        self, *, user_id: UUID, token_id: UUID | None = None, impersonated_by: UUID | None = None
    ) -> Caller | None: ...


_KNOWN: Final[list[Standing]] = []


def knows_callers(standing: Standing) -> Standing:
    """Register who says it; raises `ValueError` for a second one."""
    if _KNOWN and _KNOWN[0] is not standing:
        raise ValueError("Somebody says it already.")
    _KNOWN[:] = [standing]
    return standing


def caller_now(*, user_id: UUID, token_id: UUID | None = None) -> Caller | None:
    """Return whom the user is now, bound by the personal access token that they came with; None where nobody is."""
    return _KNOWN[0](user_id=user_id, token_id=token_id) if _KNOWN else None
