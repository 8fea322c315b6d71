"""Which bucket a request takes from, and when.

Before authentication, by address: everything in the `auth` scope, and whoever brings no credentials. A request
with credentials is counted once they have been checked: by caller, or by address where they say nothing; credentials
that do not hold cost their address a token and are answered 429 when it has none left. An address is never
turned away unchecked, since a whole office may stand behind it.
"""

import math
from typing import Final

from core.addresses import limit_identity
from core.context import current
from core.permissions import Caller
from core.ratelimit import Verdict, take

AUTH: Final = "auth"
DEFAULT: Final = "default"


def address_key() -> str:
    """Return the address at hand as a bucket's name: an IPv4 address, or the /64 of an IPv6 one."""
    return limit_identity(current().ip)


def take_before_authentication(scope: str, *, has_credentials: bool) -> Verdict | None:
    """Take by address where the scope or the lack of credentials asks for it; None: to be counted afterwards."""
    if has_credentials and scope != AUTH:
        return None
    return _take_by_address(scope)


def take_after_authentication(scope: str, caller: Caller) -> Verdict:
    """Take for a request that brought credentials."""
    if caller.is_anonymous:
        return _take_by_address(scope)
    # An administrator in a user's place spends their own tokens, not the user's.
    return take("user" if scope == DEFAULT else scope, str(caller.impersonated_by or caller.id))


def charge_worthless_credentials() -> Verdict:
    """Take a token from the address whose credentials did not hold."""
    return _take_by_address(DEFAULT)


def headers_of(verdict: Verdict) -> dict[str, str]:
    """Return the RateLimit headers that tell of the verdict."""
    return {
        "RateLimit-Limit": str(verdict.limit),
        "RateLimit-Remaining": str(verdict.remaining),
        "RateLimit-Reset": str(math.ceil(verdict.reset_after)),
    }


def _take_by_address(scope: str) -> Verdict:
    return take("anonymous" if scope == DEFAULT else scope, address_key())
