"""What a service does as one, and does again where it has lost a race in the database."""

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

from core.sqlstates import sqlstate

Given = ParamSpec("Given")
Result = TypeVar("Result")

_TRIES: Final = 3
_LOST_RACES: Final = frozenset({"40001", "40P01"})


def atomic(service: Callable[Given, Result]) -> Callable[Given, Result]:
    """Make one transaction of a verb that takes ids and values, and reads what it changes itself.

    Of two that wait for each other PostgreSQL ends one. Nothing of that one has left, so it is done again; within
    somebody else's transaction, which has ended too, that is for whoever began it.
    """
    in_one = transaction.atomic(service)

    @wraps(service)
    def done(*arguments: Given.args, **named: Given.kwargs) -> Result:
        if connection.in_atomic_block:
            return in_one(*arguments, **named)
        return again_after_a_lost_race(lambda: in_one(*arguments, **named))

    return done


def again_after_a_lost_race(run: Callable[[], Result]) -> Result:
    """Return what `run` returns, which leaves nothing behind when it loses a race; called three times at most."""
    for _ in range(_TRIES - 1):
        try:
            return run()
        except OperationalError as error:
            if not is_lost_race(error):
                raise
    return run()


def is_lost_race(error: BaseException) -> bool:
    """Return whether the database chose another to win (deadlock, serialization): the next try may."""
    return isinstance(error, OperationalError) and sqlstate(error) in _LOST_RACES
