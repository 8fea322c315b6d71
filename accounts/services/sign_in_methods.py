"""What somebody can sign in with: each kind counts its own, and the last one is never taken away.

    @sign_in_method("passkey")
    def count(user: User) -> int: ...

A service that removes one locks the user's row first and calls `keep_a_sign_in_method` after it.
"""

from collections.abc import Callable
from typing import Final

from accounts.models import User
from core.errors import Conflict

Counter = Callable[[User], int]

_COUNTERS: Final[dict[str, Counter]] = {}


def sign_in_method(name: str) -> Callable[[Counter], Counter]:
    """Register how many of this kind a user has."""

    def register(counter: Counter) -> Counter:
        if name in _COUNTERS:
            raise ValueError(f"There is a sign-in method {name!r} already.")
        _COUNTERS[name] = counter
        return counter

    return register


def keep_a_sign_in_method(user: User) -> None:
    """Raise `Conflict`, and so undo the transaction at hand, when nothing is left that the user can sign in with."""
    if not any(count(user) for count in _COUNTERS.values()):
        raise Conflict("This is the last way to sign in; set a password or add another one first.")


@sign_in_method("password")
def _passwords(user: User) -> int:
    return int(user.has_usable_password())
