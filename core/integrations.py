"""Which servers of others this installation talks to: what for, where, and when that last went well.

Every app says so in its `integrations.py`, for the page of staff. Places are hosts: never a key, a password or a token.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from django.utils.module_loading import autodiscover_modules

from core.breaker import states


@dataclass(frozen=True, slots=True)
class Integration:
    """One server of others: `settings` names what sets it up, `place` where it is (empty: it is not used)."""

    name: str
    purpose: str
    settings: str
    place: str = ""
    breaker: str = ""
    """The breaker before it; empty where there is none, or one for each receiver."""
    last_success: datetime | None = None
    """When it last did what it is for, as far as that is known."""

    @property
    def state(self) -> str:
        """Return how its breaker stands (`closed`: it is asked), or that it is not used."""
        if not self.place:
            return "not used"
        return states().get(self.breaker, "closed") if self.breaker else ""


Source = Callable[[], Iterable[Integration]]

_SOURCES: Final[list[Source]] = []


def integrations(source: Source) -> Source:
    """Register a function that yields what an app talks to."""
    _SOURCES.append(source)
    return source


def registered() -> list[Integration]:
    """Return what all apps talk to, used ones first."""
    autodiscover_modules(__name__.rpartition(".")[2])
    return sorted((one for source in _SOURCES for one in source()), key=lambda one: (not one.place, one.name))


def host_of(url: str) -> str:
    """Return the host of a URL, with the port where it says one; nothing of what else may stand there."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""


def breaker_of(url: str) -> str:
    """Return the name of the breaker before the host of a URL."""
    return f"http:{urlsplit(url).hostname or ''}"
