"""Requests to a provider: within one clock for the whole sign-in, behind a breaker for each provider.

A provider that is down, hangs or answers nonsense is a clear 503 within five seconds; nothing else waits for it.
"""

import logging
import time
from typing import Any, Final

from accounts.providers.table import Provider
from core.breaker import CircuitOpen, breaker
from core.errors import ServiceUnavailable
from core.http_client import RequestFailed, Response, request

logger = logging.getLogger(__name__)

SECONDS: Final = 4.0
_MOST_BYTES: Final = 262_144
_TOO_MANY: Final = 429


class Clock:
    """The time that the provider has for all its answers of one sign-in."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left; raises `RequestFailed` when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise RequestFailed("The provider's time is over.")
        return left


def ask(
    provider: Provider,
    method: str,
    url: str,
    *,
    clock: Clock,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return the provider's answer, if it is one below 500; raises `ServiceUnavailable`."""
    try:
        with breaker(f"oauth:{provider.id}", counts=(RequestFailed,)):
            response = request(method, url, data=data, headers=headers, timeout=clock.left(), max_bytes=_MOST_BYTES)
            _refuse_failure(response)
            return response
    except (RequestFailed, CircuitOpen) as error:
        raise unavailable(provider, str(error)) from None


def json_object(provider: Provider, response: Response) -> dict[str, Any]:
    """Return the body as a JSON object; raises `ServiceUnavailable` when it is none."""
    try:
        content = response.json()
    except RequestFailed as error:
        raise unavailable(provider, str(error)) from None
    if not isinstance(content, dict):
        raise unavailable(provider, "The answer is no JSON object.")
    return content


def _refuse_failure(response: Response) -> None:
    if response.status >= 500 or response.status == _TOO_MANY:
        raise RequestFailed(f"The provider answers {response.status}.")


def unavailable(provider: Provider, reason: str) -> ServiceUnavailable:
    """Return the 503 for this provider, having written the reason for the operator; it holds no secret."""
    logger.warning("social sign-in failed", extra={"provider": provider.id, "reason": reason})
    return ServiceUnavailable(f"Sign-in with {provider.name} is not available at the moment; try again later.")
