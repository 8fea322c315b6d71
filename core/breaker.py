"""Circuit breakers: after enough failures in a window the other side is left alone, then tried by one caller.

    with breaker("http:hooks.example"):
        …                                # an exception that `counts` is a failure, leaving the block a success

The state is shared by all processes through Redis, and kept by each for itself while Redis is away.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import redis
from django.conf import settings

from core.redis_link import RedisUnavailable, link_to

State = Literal["closed", "half-open", "open"]


class CircuitOpen(Exception):
    """The other side failed too often; it is not asked for the moment."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} failed too often and is not asked for the moment.")
        self.name = name


@dataclass(frozen=True, slots=True)
class Policy:
    """How many failures within how many seconds open a breaker, for how long, and how long one probe may take."""

    failures: int = 5
    window: float = 30.0
    cooldown: float = 15.0
    probe: float = 60.0


_POLICY: Final = Policy()
_COUNT: Final = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""


@contextmanager
def breaker(
    name: str, *, counts: tuple[type[BaseException], ...] = (Exception,), policy: Policy = _POLICY
) -> Iterator[None]:
    """Guard the block; raises `CircuitOpen` instead of entering it while the breaker is open."""
    circuit = _Circuit(name, policy)
    circuit.enter()
    try:
        yield
    except counts:
        circuit.failed()
        raise
    except BaseException:
        circuit.learned_nothing()
        raise
    circuit.succeeded()


def state_of(name: str) -> State:
    """Return the state of one breaker."""
    return _Circuit(name, _POLICY).state()


def states() -> dict[str, State]:
    """Return the state of every breaker that is not, or lately was not, closed."""
    return {name: state_of(name) for name in sorted(_KEYS.names())}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one breaker stands: since when it has not been closed, and when the other side is tried again."""

    name: str
    state: State
    since: datetime | None
    tried_in: timedelta


def standings() -> list[Standing]:
    """Return how every breaker stands that lately was not closed; those that are not come first."""
    return sorted(
        (_Circuit(name, _POLICY).standing() for name in _KEYS.names()),
        key=lambda standing: (standing.state == "closed", standing.name),
    )


def close(name: str) -> State:
    """Forget the breaker's failures, so that the other side is asked again; return the state that it had."""
    return _Circuit(name, _POLICY).close()


def hold_open(name: str, *, seconds: float) -> State:
    """Leave the other side alone for this long, whatever its answers were; return the state that it had."""
    return _Circuit(name, Policy(cooldown=seconds)).open()


class _Circuit:
    """One breaker: `tripped` says that it was opened, `open` that the cooldown still runs, `probe` that one tries."""

    def __init__(self, name: str, policy: Policy) -> None:
        self._name = name
        self._policy = policy
        start = f"{settings.REDIS_KEY_PREFIX}:breaker:{{{name}}}"
        self._failures, self._tripped = f"{start}:failures", f"{start}:tripped"
        self._open, self._probe = f"{start}:open", f"{start}:probe"

    def state(self) -> State:
        if not _KEYS.exists(self._tripped):
            return "closed"
        return "open" if _KEYS.exists(self._open) else "half-open"

    def enter(self) -> None:
        state = self.state()
        if state == "open" or (state == "half-open" and not _KEYS.add(self._probe, self._policy.probe)):
            raise CircuitOpen(self._name)

    def standing(self) -> Standing:
        tripped_at = _KEYS.value(self._tripped)
        since = None if tripped_at is None else datetime.fromtimestamp(tripped_at, UTC)
        return Standing(self._name, self.state(), since, timedelta(seconds=_KEYS.rest(self._open)))

    def succeeded(self) -> None:
        if self.state() != "closed":
            self.close()

    def close(self) -> State:
        before = self.state()
        _KEYS.delete(self._tripped, self._open, self._probe, self._failures)
        return before

    def open(self) -> State:
        before, tripped_at = self.state(), _KEYS.value(self._tripped)
        # A breaker that nobody uses any more is forgotten after a day.
        _KEYS.put(self._tripped, 86400, tripped_at or int(time.time()))
        _KEYS.put(self._open, self._policy.cooldown)
        _KEYS.delete(self._probe, self._failures)
        _KEYS.remember(self._name)
        return before

    def learned_nothing(self) -> None:
        _KEYS.delete(self._probe)

    def failed(self) -> None:
        tripped = _KEYS.exists(self._tripped)
        if tripped or _KEYS.increment(self._failures, self._policy.window) >= self._policy.failures:
            self.open()


class _Keys:
    """Keys that expire: in Redis, and in this process while Redis is away."""

    def __init__(self) -> None:
        self._local: dict[str, tuple[int, float]] = {}
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def exists(self, key: str) -> bool:
        return bool(self._ask(lambda: self._local_value(key) is not None, "EXISTS", key))

    def add(self, key: str, seconds: float) -> bool:
        """Set the key unless it is there; return whether it was set."""
        milliseconds = int(seconds * 1000)
        return self._ask(lambda: self._add_local(key, seconds), "SET", key, 1, "NX", "PX", milliseconds) is not None

    def put(self, key: str, seconds: float, value: int = 1) -> None:
        self._ask(lambda: self._put_local(key, value, seconds), "SET", key, value, "PX", int(seconds * 1000))

    def value(self, key: str) -> int | None:
        found = self._ask(lambda: self._local_value(key), "GET", key)
        return None if found is None else int(found)

    def rest(self, key: str) -> float:
        """Return for how many seconds the key will still be there."""
        return max(0.0, int(self._ask(lambda: self._local_rest(key) * 1000, "PTTL", key)) / 1000)

    def increment(self, key: str, seconds: float) -> int:
        """Count one more; the first of a window says when it ends."""
        milliseconds = int(seconds * 1000)
        return int(self._ask(lambda: self._increment_local(key, seconds), "EVAL", _COUNT, 1, key, milliseconds))

    def delete(self, *keys: str) -> None:
        self._ask(lambda: [self._local.pop(key, None) for key in keys], "DEL", *keys)

    def remember(self, name: str) -> None:
        self._names.add(name)
        self._ask(lambda: None, "SADD", self._names_key(), name)

    def names(self) -> set[str]:
        shared = self._ask(list, "SMEMBERS", self._names_key())
        return self._names | {name.decode() for name in shared}

    def _ask(self, locally: Callable[[], Any], *command: Any) -> Any:
        try:
            return link_to(settings.STATE_URL).call(*command)
        except (RedisUnavailable, redis.ResponseError):
            with self._lock:
                return locally()

    def _local_value(self, key: str) -> int | None:
        value, until = self._local.get(key, (0, 0.0))
        return value if until > time.monotonic() else None

    def _local_rest(self, key: str) -> float:
        return self._local.get(key, (0, 0.0))[1] - time.monotonic()

    def _put_local(self, key: str, value: int, seconds: float) -> None:
        self._local[key] = (value, time.monotonic() + seconds)

    def _add_local(self, key: str, seconds: float) -> bool | None:
        if self._local_value(key) is not None:
            return None
        self._put_local(key, 1, seconds)
        return True

    def _increment_local(self, key: str, seconds: float) -> int:
        value = self._local_value(key)
        if value is None:
            self._put_local(key, 1, seconds)
            return 1
        self._local[key] = (value + 1, self._local[key][1])
        return value + 1

    def _names_key(self) -> str:
        return f"{settings.REDIS_KEY_PREFIX}:breakers"


_KEYS: Final = _Keys()
