"""Closing and opening breakers by hand: what staff know and no count of failures does."""

from datetime import timedelta
from typing import Final

from django.db import transaction

from core.breaker import close, hold_open, states
from core.errors import NotFound
from core.events import publish
from core.permissions import Caller

LEFT_ALONE: Final = timedelta(hours=1)
"""How long a breaker that was opened by hand stays open."""


@transaction.atomic
def close_by_hand(name: str, *, actor: Caller) -> None:
    """Have the other side asked again at once; raises `NotFound` for a breaker that there is not."""
    _refuse_unknown(name)
    publish("breaker.closed", subject=None, actor=actor, data={"name": name, "before": {"state": close(name)}})


@transaction.atomic
def open_by_hand(name: str, *, actor: Caller) -> None:
    """Leave the other side alone for an hour, or until it is closed by hand; raises `NotFound` as above."""
    _refuse_unknown(name)
    before = hold_open(name, seconds=LEFT_ALONE.total_seconds())
    publish("breaker.opened", subject=None, actor=actor, data={"name": name, "before": {"state": before}})


def _refuse_unknown(name: str) -> None:
    if name not in states():
        raise NotFound
