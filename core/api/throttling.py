"""Which bucket a request takes from, and when.

Before authentication: everything in the `auth` scope, and whoever brings no credentials, by address. A request
with credentials is counted by caller once they have been checked; credentials that turn out to be worthless
cost their address a token, and an address that has none left is turned away before the next check.
"""

import math
import threading
import time
from typing import Final

from core.addresses import limit_identity
from core.context import current
from core.permissions import Caller
from core.ratelimit import Verdict, take

AUTH: Final = "auth"
DEFAULT: Final = "default"
_TURNED_AWAY_AT_MOST: Final = 10_000


def address_key() -> str:
    """Return the address at hand as a bucket's name: an IPv4 address, or the /64 of an IPv6 one."""
    return limit_identity(current().ip)


def take_before_authentication(scope: str, *, has_credentials: bool) -> Verdict | None:
    """Take by address where the scope or the lack of credentials asks for it."""
    address = address_key()
    if scope == AUTH:
        return take(AUTH, address)
    if has_credentials:
        return _TURNED_AWAY.verdict(address)
    return take("anonymous" if scope == DEFAULT else scope, address)


def take_after_authentication(scope: str, caller: Caller) -> Verdict | None:
    """Take from the caller's own bucket; the `auth` scope counts by address alone."""
    if scope == AUTH or caller.is_anonymous:
        return None
    return take("user" if scope == DEFAULT else scope, str(caller.id))


def charge_worthless_credentials(scope: str) -> Verdict | None:
    """Take a token from the address whose credentials did not hold."""
    if scope == AUTH:
        return None
    address = address_key()
    verdict = take("anonymous", address)
    if not verdict.allowed:
        _TURNED_AWAY.add(address, verdict)
    return verdict


def headers_of(verdict: Verdict) -> dict[str, str]:
    """Return the RateLimit headers that tell of the verdict."""
    return {
        "RateLimit-Limit": str(verdict.limit),
        "RateLimit-Remaining": str(verdict.remaining),
        "RateLimit-Reset": str(math.ceil(verdict.reset_after)),
    }


class _TurnedAway:
    """Addresses without a token left, until they have one again; known to this process only, and bounded."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, Verdict]] = {}
        self._lock = threading.Lock()

    def add(self, address: str, verdict: Verdict) -> None:
        now = time.monotonic()
        with self._lock:
            if len(self._until) >= _TURNED_AWAY_AT_MOST:
                self._until = {name: entry for name, entry in self._until.items() if entry[0] > now}
            if len(self._until) < _TURNED_AWAY_AT_MOST:
                self._until[address] = (now + verdict.retry_after, verdict)

    def verdict(self, address: str) -> Verdict | None:
        until, verdict = self._until.get(address, (0.0, None))
        return verdict if until > time.monotonic() else None


_TURNED_AWAY: Final = _TurnedAway()
