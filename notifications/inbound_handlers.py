"""Who works off what other programs tell us: the registry for handlers, ours and those of your own apps.

An app says it in its `subscribers.py`, which is imported when the server starts:

    @handles_inbound("billing.paid", source="stripe", types=("invoice.paid",))
    def mark_as_paid(message: Inbound) -> None:
        invoice = message.json()["data"]["object"]
        …

A handler runs in a worker, in the transaction that marks the message as handled by it: once for each message (and
once more for each replay), however often it is delivered. An exception is tried again, with growing pauses.

One that asks another server holds no transaction open meanwhile (`in_transaction=False`): it is marked as done
afterwards, and may run twice where its worker is killed in between.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from core.event_types import patterns_of


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message that has proved where it is from."""

    source: str
    event_id: str
    type: str
    content_type: str
    body: bytes
    received_at: datetime
    query: str = ""

    def json(self) -> Any:
        """Return the body as JSON; raises `ValueError` when it is none."""
        return orjson.loads(self.body)


ANY_SOURCE: Final = "*"

Handler = Callable[[Inbound], None]


@dataclass(frozen=True, slots=True)
class _Registered:
    source: str
    types: tuple[str, ...]
    function: Handler
    in_transaction: bool

    def hears(self, source: str, type_: str) -> bool:
        return self.source in (ANY_SOURCE, source) and not set(patterns_of(type_)).isdisjoint(self.types)


_HANDLERS: Final[dict[str, _Registered]] = {}


def handles_inbound(
    name: str, *, source: str, types: tuple[str, ...] = ("*",), in_transaction: bool = True
) -> Callable[[Handler], Handler]:
    """Register a handler for what `source` tells; `invoice.*` means a whole family. `name` is stored."""

    def register(function: Handler) -> Handler:
        if name in _HANDLERS:
            raise ValueError(f"There is a handler {name!r} already.")
        _HANDLERS[name] = _Registered(source, types, function, in_transaction)
        return function

    return register


def handlers_of(source: str, type_: str) -> list[str]:
    """Return the names of those who work off a message of this type from this source."""
    return [name for name, handler in _HANDLERS.items() if handler.hears(source, type_)]


def handler_named(name: str) -> Handler:
    """Return the handler of this name; LookupError when no app registers it (any more, or yet)."""
    return _HANDLERS[name].function


def is_in_transaction(name: str) -> bool:
    """Return whether the handler runs in the transaction that marks it as done; LookupError as above."""
    return _HANDLERS[name].in_transaction
