"""UUID version 7 (RFC 9562 §5.7): time-ordered primary keys, made in Python."""

import os
import threading
import time
from typing import Final
from uuid import UUID

_lock: Final = threading.Lock()
_last_tick = 0


def uuid7() -> UUID:
    """Return a UUIDv7 that is later than every earlier one of this process.

    48 bits of Unix milliseconds, 12 bits of sub-millisecond fraction kept monotonic (RFC 9562 §6.2,
    method 3), 62 random bits.
    """
    tick = _next_tick()
    milliseconds, fraction = divmod(tick, 4096)
    random_bits = int.from_bytes(os.urandom(8), "big") & (2**62 - 1)
    value = (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random_bits
    return UUID(int=value)


def _next_tick() -> int:
    global _last_tick
    tick = time.time_ns() * 4096 // 1_000_000
    with _lock:
        _last_tick = max(tick, _last_tick + 1)
        return _last_tick
