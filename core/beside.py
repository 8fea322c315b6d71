"""Work that takes long is left to a thread: what waits for a slow provider holds up no other task of its worker.

Only children of a worker's pool leave work behind (`allow`); anywhere else it is done at once by whoever asks. What
is left behind must be safe to lose: its thread dies with its process, and somebody else has to come round again.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import lru_cache
from os import getpid
from typing import Any, Final, TypeVar

from django.db import close_old_connections, connection

Result = TypeVar("Result")
logger = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 1.0
"""How long a worker waits before it goes on to other work."""

SHORT_PATIENCE_SECONDS: Final = 0.2
"""The same, in a lane where others are waited for already."""

LANE_WIDTH: Final = 8
"""How much a process leaves behind in a lane at most."""

_lanes: Final[dict[str, set["Future[Any]"]]] = {}
_children: Final[set[int]] = set()


class LeftBehind(Exception):  # it is news, not a failure
    """The work goes on in a thread; nobody will hear its result."""


def allow() -> None:
    """Let this process leave work behind: it is a child of a worker's pool, and other tasks wait for it."""
    _children.add(getpid())


def has_room(lane: str) -> bool:
    """Return whether this process may take on more in the lane."""
    return len(_running(lane)) < LANE_WIDTH


def full_lanes() -> list[str]:
    """Return the lanes in which this process may take on no more."""
    return [lane for lane in list(_lanes) if not has_room(lane)]


def run(lane: str, work: Callable[[], Result]) -> Result:
    """Do the work and return its result; raises `LeftBehind` when it takes longer than one waits for it."""
    if getpid() not in _children:
        return work()
    patience = SHORT_PATIENCE_SECONDS if _running(lane) else PATIENCE_SECONDS
    future = _threads(getpid()).submit(copy_context().run, _with_a_good_connection, work)
    wait([future], timeout=patience)
    if future.done():
        return future.result()
    _lanes.setdefault(lane, set()).add(future)
    future.add_done_callback(_tell_of_failure)
    raise LeftBehind


def wait_for_all(*, seconds: float) -> None:
    """Wait for what was left behind, before the process goes."""
    wait([future for lane in list(_lanes) for future in _running(lane)], timeout=seconds)


def _running(lane: str) -> set["Future[Any]"]:
    left = {future for future in _lanes.get(lane, ()) if not future.done()}
    _lanes[lane] = left
    return left


def _with_a_good_connection(work: Callable[[], Result]) -> Result:
    close_old_connections()
    return work()


def _tell_of_failure(future: "Future[Any]") -> None:
    # Called in the thread of the work: what it needed while others waited too is more than it needs from now on.
    connection.close()
    error = future.exception()
    if error is not None:
        logger.warning("work left behind failed", exc_info=error)


@lru_cache(maxsize=1)
def _threads(process_id: int) -> ThreadPoolExecutor:
    """Return this process's threads; a forked child needs its own."""
    return ThreadPoolExecutor(max_workers=96, thread_name_prefix="beside")
