"""Token buckets: `take` asks Redis in one Lua call, and the same arithmetic in this process when Redis is away.

A bucket is kept as one number, the moment at which it will be full again (the generic cell rate algorithm):
exactly a token bucket's answers, one key to read and write. Redis's own clock decides, so servers whose clocks
differ still share one bucket. The limiter never fails open: without Redis every process holds the same limits.
"""

import hashlib
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import redis
from django.conf import settings

from core.metrics import RATE_LIMITED
from core.redis_link import RedisLink, RedisUnavailable, link_to

SCOPES: Final[dict[str, tuple[float, float]]] = {
    "anonymous": (60, 1),
    "user": (600, 10),
    "auth": (10, 1 / 6),
    "upload": (60, 1),
    "bulk": (10, 1 / 6),
    "inbound": (600, 20),
    "picture": (60, 1),
    "mail": (5, 1 / 600),
    "sms": (3, 1 / 300),
}
"""Name to capacity and refill per second; the documentation's table is made from this."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a bucket; times in seconds."""

    allowed: bool
    limit: int
    remaining: int
    reset_after: float
    retry_after: float


_SCRIPT: Final = b"""
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval = tonumber(ARGV[1])
local full = tonumber(ARGV[2])
local cost = tonumber(ARGV[3]) * interval
local stored = redis.call('GET', KEYS[1])
local debt = stored and math.max(tonumber(stored) - now, 0) or 0
local after = debt + cost
if after > full then
  return {0, math.floor((full - debt) / interval), math.ceil(debt), math.ceil(after - full)}
end
redis.call('SET', KEYS[1], string.format('%.0f', now + after), 'PX', math.ceil(after / 1000) + 1)
return {1, math.floor((full - after) / interval), math.ceil(after), 0}
"""
_EVALSHA_HEAD: Final = b"*7\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n1\r\n" % hashlib.sha1(_SCRIPT).hexdigest().encode()  # noqa: S324  # Redis names scripts by SHA-1
_EVAL_HEAD: Final = b"*7\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n1\r\n" % (len(_SCRIPT), _SCRIPT)
_LOCAL_BUCKETS_AT_MOST: Final = 100_000


def take(scope: str, identity: str, cost: int = 1) -> Verdict:
    """Take `cost` tokens from the bucket of `identity` in `scope`, or none when there are too few."""
    numbers = _numbers(scope, settings.RATE_LIMIT_SCALE, cost)
    bucket = f"{settings.REDIS_KEY_PREFIX}:rate:{{{scope}:{identity}}}"
    try:
        verdict = _take_shared(link_to(settings.STATE_URL), bucket, numbers)
    except (RedisUnavailable, redis.ResponseError):
        verdict = _LOCAL.take(bucket, numbers)
    if not verdict.allowed:
        RATE_LIMITED.labels(scope).inc()
    return verdict


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What a take is reckoned with: microseconds for one token, for a full bucket, for what is asked."""

    capacity: int
    interval: float
    full: float
    asked: float
    packed: bytes


@lru_cache(maxsize=64)
def _numbers(scope: str, scale: float, cost: int) -> _Numbers:
    capacity, refill = SCOPES[scope]
    capacity = max(1, int(capacity * scale))
    interval = 1_000_000 / (refill * scale)
    arguments = (f"{interval:.6f}", f"{capacity * interval:.6f}", str(cost))
    return _Numbers(
        capacity, interval, capacity * interval, cost * interval, b"".join(_bulk(text.encode()) for text in arguments)
    )


def _take_shared(link: RedisLink, bucket: str, numbers: _Numbers) -> Verdict:
    arguments = _bulk(bucket.encode()) + numbers.packed
    reply = link.exchange(_EVALSHA_HEAD + arguments, lines=5)
    if reply.startswith(b"-NOSCRIPT"):
        reply = link.exchange(_EVAL_HEAD + arguments, lines=5)
    if not reply.startswith(b"*4"):
        raise redis.ResponseError(reply.decode("utf-8", "replace"))
    allowed, remaining, reset, retry = [int(line[1:]) for line in reply.split(b"\r\n")[1:5]]
    return Verdict(allowed == 1, numbers.capacity, remaining, reset / 1_000_000, retry / 1_000_000)


def _bulk(raw: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(raw), raw)


class _LocalBuckets:
    """The same buckets within this process, at most so many at a time."""

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, bucket: str, numbers: _Numbers) -> Verdict:
        now = time.monotonic_ns() / 1000
        with self._lock:
            debt = max(self._full_at.get(bucket, 0.0) - now, 0.0)
            after = debt + numbers.asked
            if after <= numbers.full:
                self._keep(bucket, now + after, now)
        if after > numbers.full:
            left = int((numbers.full - debt) / numbers.interval)
            return Verdict(False, numbers.capacity, left, debt / 1e6, (after - numbers.full) / 1e6)
        return Verdict(True, numbers.capacity, int((numbers.full - after) / numbers.interval), after / 1e6, 0.0)

    def _keep(self, bucket: str, full_at: float, now: float) -> None:
        if len(self._full_at) >= _LOCAL_BUCKETS_AT_MOST and bucket not in self._full_at:
            self._full_at = {name: moment for name, moment in self._full_at.items() if moment > now}
        self._full_at[bucket] = full_at


_LOCAL: Final = _LocalBuckets()
