"""The registry of second steps: by which methods somebody may prove, after the password, that it is them.

An authenticator app and a passkey are methods in their own right; recovery codes only stand beside one. Each
method is one `SecondFactor`, registered once; sign-in, `/auth/reauthenticate` and the admin ask here and nowhere
else. `users.mfa_enabled` says whether somebody has a method in its own right.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from accounts.models import User
from core.errors import InvalidCredentials


class SecondFactor:
    """One method; subclasses say who has it and how it is proved."""

    name: ClassVar[str]
    amr: ClassVar[tuple[str, ...]]
    """What a session gains by it (RFC 8176), besides `mfa`."""

    takes: ClassVar[str] = "code"
    """The field of the request that proves it: `code` or `credential`."""

    stands_alone: ClassVar[bool] = True
    """Whether having this method is having two-factor sign-in."""

    def is_set_up(self, user: User) -> bool:
        """Return whether the user could use this method now."""
        raise NotImplementedError

    def begin(self, user: User, *, bound_to: str) -> dict[str, Any] | None:
        """Return what the client needs beforehand to prove it to the sign-in `bound_to`; None: nothing."""
        return None

    def verify(self, user: User, given: Any, *, bound_to: str) -> None:
        """Use up the proof `given` by the locked user, in the transaction at hand, or raise `InvalidCredentials`.

        `bound_to` names the sign-in (or session) that the proof is for.
        """
        raise NotImplementedError

    def remove(self, user: User) -> None:
        """Delete all that the locked user has of this method."""
        raise NotImplementedError

    def listed(self, user: User) -> list[dict[str, Any]]:
        """Return what `GET /auth/mfa` shows of each thing that the user has of this method."""
        return []


METHODS: Final[dict[str, SecondFactor]] = {}


def register(factor: SecondFactor) -> None:
    """Add a method; the order of registration is the order in which people are offered them."""
    if factor.name in METHODS:
        raise ValueError(f"There is a second factor {factor.name!r} already.")
    METHODS[factor.name] = factor


def methods_of(user: User) -> list[str]:
    """Return the names of the methods that the user could use now."""
    return [name for name, factor in METHODS.items() if factor.is_set_up(user)] if user.mfa_enabled else []


def options_of(user: User, *, methods: Iterable[str], bound_to: str) -> dict[str, dict[str, Any]]:
    """Return what the client needs beforehand, by method; most need nothing."""
    begun = {name: METHODS[name].begin(user, bound_to=bound_to) for name in methods}
    return {name: options for name, options in begun.items() if options is not None}


def prove(user: User, *, method: str, given: Any, bound_to: str) -> tuple[str, ...]:
    """Return the `amr` that the user has proved by `method`; raises `InvalidCredentials`.

    The caller has locked the user and is in the transaction that the proof is for: a code that was right is spent
    only if that one commits.
    """
    factor = METHODS.get(method)
    if factor is None or not user.mfa_enabled:
        raise InvalidCredentials
    factor.verify(user, given, bound_to=bound_to)
    return (*factor.amr, "mfa")


def remove_all(user: User) -> None:
    """Delete every method of the locked user."""
    for factor in METHODS.values():
        factor.remove(user)
    user.refresh_from_db(fields=["mfa_enabled", "version"])


def with_proof(amr: list[str], proved: Iterable[str]) -> list[str]:
    """Return the `amr` of a session that has proved more now."""
    return [*amr, *(name for name in proved if name not in amr)]
