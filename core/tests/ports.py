"""Ports for servers of tests: no connection and no other test process takes one before its server does."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

# Below those that the kernel gives to connections and to servers that ask for any.
_FIRST, _LAST = 20_000, 32_000
_TURNS: Final = Path(tempfile.gettempdir()) / f"nook-test-ports-{os.getuid()}"


def free_port() -> int:
    """Return a port on which nobody listens, and whose successor is free too: the live server takes that one.

    All processes of all runs take turns, so that the same one is not given again for a long time.
    """
    with _TURNS.open("a+", encoding="ascii") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        turns.seek(0)
        port = _free_after(int(turns.read() or _FIRST))
        turns.truncate(0)
        turns.write(str(port))
    return port


def _free_after(port: int) -> int:
    while True:
        port = port + 2 if port + 3 < _LAST else _FIRST
        if _is_free(port) and _is_free(port + 1):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
