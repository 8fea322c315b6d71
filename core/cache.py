"""Cache-aside: read through Redis, produce once when it is not there, never rely on it.

    user = cached("users", str(user_id), lambda: read_user(user_id))
    invalidate("users")                  # everything of that namespace
    forget("users", str(user_id))        # one entry

A value counts only with the version its namespace had when it was asked for, and only whoever holds the entry's
lease may store it. So nothing that was read before an invalidation is served after it, and many misses of one
entry at one time are one production, over all processes. Without Redis every read is a miss.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.conf import settings
from django_redis import get_redis_connection

from core.metrics import CACHE_HITS, CACHE_MISSES
from core.redis_link import RedisUnavailable, link_to
from core.replicas import on_the_primary

TTLS: Final[dict[str, int]] = {
    "permissions": 300,
    "users": 3600,
    "lists": 300,
    "counts": 900,
    "resource-types": 3600,
    "images": 86400,
    "providers": 86400,
}
"""Seconds by namespace: what changes often lives five minutes, what hardly changes a day."""

_LEASE_SECONDS: Final = 10
_WAIT_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.01

_FIND_OR_LEASE: Final = """
local version = redis.call('GET', KEYS[1])
if not version then
  version = ARGV[1]
  redis.call('SET', KEYS[1], version)
end
local entry = redis.call('GET', KEYS[2])
if entry and string.sub(entry, 1, #version) == version then
  return {'found', string.sub(entry, #version + 1)}
end
if redis.call('SET', KEYS[3], ARGV[1], 'NX', 'EX', ARGV[2]) then
  return {'lease', version}
end
return {'wait', ''}
"""
_STORE: Final = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class _Lease:
    token: bytes
    version: bytes


@dataclass(frozen=True, slots=True)
class _Found:
    value: Any


def cached(namespace: str, key: str, produce: Callable[[], Any]) -> Any:
    """Return the JSON value of `key` in `namespace`: the kept one, else what `produce` returns, kept from then on."""
    answer = _find_or_lease(namespace, key)
    if isinstance(answer, _Found):
        CACHE_HITS.labels(namespace).inc()
        return answer.value
    CACHE_MISSES.labels(namespace).inc()
    if answer is None:
        return produce()
    try:
        # A replica may not know yet of the write that made the value before this one void.
        with on_the_primary():
            value = produce()
    except BaseException:
        _run(lambda redis: redis.delete(_lease_key(namespace, key)))
        raise
    _store(namespace, key, answer, value)
    return value


def invalidate(namespace: str) -> None:
    """Make every entry of the namespace count no more; without Redis there is nothing that could."""
    _run(lambda redis: redis.set(_version_key(namespace), _token()))


def forget(namespace: str, key: str) -> None:
    """Make one entry count no more, what is being produced for it included."""
    _run(lambda redis: redis.delete(_value_key(namespace, key), _lease_key(namespace, key)))


def _find_or_lease(namespace: str, key: str) -> _Found | _Lease | None:
    """Return the value, or the right to produce it, or None where there is neither: produce and keep nothing."""
    keys = [_version_key(namespace), _value_key(namespace, key), _lease_key(namespace, key)]
    token = _token()
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        reply = _run(lambda redis: redis.eval(_FIND_OR_LEASE, len(keys), *keys, token, _LEASE_SECONDS))
        if reply is None:
            return None
        state, content = reply
        if state == b"found":
            return _Found(orjson.loads(content))
        if state == b"lease":
            return _Lease(token, content)
        time.sleep(_POLL_SECONDS)
    return None


def _store(namespace: str, key: str, lease: _Lease, value: Any) -> None:
    keys = [_value_key(namespace, key), _lease_key(namespace, key)]
    content = lease.version + orjson.dumps(value)
    _run(lambda redis: redis.eval(_STORE, len(keys), *keys, lease.token, content, TTLS[namespace]))


def _run(command: Callable[[Any], Any]) -> Any:
    """Return Redis's reply, or None when it does not answer."""
    try:
        with link_to(settings.CACHE_URL).guard():
            return command(get_redis_connection("default"))
    except RedisUnavailable:
        return None


def _token() -> bytes:
    return secrets.token_bytes(12)


def _version_key(namespace: str) -> str:
    return f"{settings.REDIS_KEY_PREFIX}:cache:{{{namespace}}}:version"


def _value_key(namespace: str, key: str) -> str:
    return f"{settings.REDIS_KEY_PREFIX}:cache:{{{namespace}}}:value:{key}"


def _lease_key(namespace: str, key: str) -> str:
    return f"{settings.REDIS_KEY_PREFIX}:cache:{{{namespace}}}:lease:{key}"
