"""The sign of life for a watch outside: what watches us from within is gone along with us."""

import logging

from django.conf import settings

from core.breaker import CircuitOpen
from core.http_client import RequestFailed, request
from core.queue import lag

logger = logging.getLogger(__name__)


def beat() -> bool:
    """Call `HEARTBEAT_URL` if background work is in time; return whether the watch has heard us.

    That this runs says that the clock, the relay and a worker are there; how long work waits says that they suffice. A
    call that fails is not made up for: the next is a minute away, and the watch allows for some.
    """
    if not settings.HEARTBEAT_URL or lag()["outbox_lag_seconds"] >= settings.ALERT_OUTBOX_LAG_SECONDS:
        return False
    try:
        answer = request(
            "GET", settings.HEARTBEAT_URL, timeout=settings.ALERT_TIMEOUT_SECONDS, max_bytes=65_536, cut=True
        )
    except (RequestFailed, CircuitOpen) as failure:
        logger.warning("the heartbeat was not heard", extra={"reason": str(failure)})
        return False
    if not answer.ok:
        logger.warning("the heartbeat was not heard", extra={"reason": f"answer {answer.status}"})
    return answer.ok
