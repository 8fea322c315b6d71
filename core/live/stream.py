"""Server-Sent Events: the feed as bytes, once or for as long as the caller stays signed in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections

from core.errors import ApplicationError, ServiceUnavailable
from core.live.feed import Batch, Position, describe, position_of, read_after
from core.permissions import Caller

CONTENT_TYPE: Final = "text/event-stream"
POLL_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 15.0

Authenticate = Callable[[], Caller]

_threads: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="live")
_open_streams = 0


def require_room() -> None:
    """Raise when this process follows as many streams as it may."""
    if _open_streams >= settings.LIVE_MAX_STREAMS:
        raise ServiceUnavailable("Too many live connections; try again later.")


def once(caller: Caller, position: Position) -> bytes:
    """Return what there is since `position`, and where to go on; the client asks again after `retry`."""
    batch = read_after(position, caller)
    return _opening(position) + _frames(batch, caller) + _mark(batch.position)


async def follow(authenticate: Authenticate, position: Position) -> AsyncIterator[bytes]:
    """Yield events as they come, until the caller is signed out or leaves.

    The caller is authenticated anew before each look, so nothing is told to a session that has ended.
    """
    global _open_streams
    _open_streams += 1
    try:
        yield _opening(position)
        async for frames in _looks(authenticate, position):
            yield frames
    except (ApplicationError, DatabaseError, InterfaceError):
        # The client comes back, and is then told why: the stream itself has no way to say it.
        return
    finally:
        _open_streams -= 1


async def _looks(authenticate: Authenticate, position: Position) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    spoke_at = time.monotonic()
    while True:
        frames, batch = await loop.run_in_executor(_threads, _look, authenticate, position)
        position = batch.position
        if not frames and time.monotonic() - spoke_at > HEARTBEAT_SECONDS:
            frames = _mark(position)
        if frames:
            spoke_at = time.monotonic()
            yield frames
        if not batch.has_more:
            await asyncio.sleep(POLL_SECONDS)


def _look(authenticate: Authenticate, position: Position) -> tuple[bytes, Batch]:
    close_old_connections()
    caller = authenticate()
    batch = read_after(position, caller)
    return _frames(batch, caller), batch


def _opening(position: Position) -> bytes:
    return b"retry: %d\n" % settings.LIVE_RETRY_MILLISECONDS + _mark(position)


def _mark(position: Position) -> bytes:
    """Return a frame without data: it moves the client's Last-Event-ID, and keeps proxies from closing."""
    return f": here\nid: {position}\n\n".encode()


def _frames(batch: Batch, caller: Caller) -> bytes:
    return b"".join(
        b"id: %b\nevent: %b\ndata: %b\n\n"
        % (str(position_of(event)).encode(), event.type.encode(), describe(event, caller))
        for event in batch.events
    )
