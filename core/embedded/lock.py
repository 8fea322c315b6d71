"""One run per data folder: a lock that the servers of the run hold too, until the last of them is gone."""

import fcntl
import os
import time
from pathlib import Path

from core.embedded.process import EmbeddedServerError, is_alive, make_writable_folder


class FolderInUse(EmbeddedServerError):
    """Another run works in this data folder."""


def lock_folder(folder: Path, *, patience: float = 15.0) -> int:
    """Return the descriptor of the locked folder; keep it open (and let the servers inherit it) as long as it is used.

    A run that was killed leaves servers that need a moment to stop: those are waited for. A run that is alive is not.
    """
    make_writable_folder(folder)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    while not _take(descriptor):
        holder = _holder(descriptor)
        if is_alive(holder) or time.monotonic() > deadline:
            os.close(descriptor)
            raise FolderInUse(f"{folder} is in use by another run (process {holder}): stop it, or give --data-dir.")
        time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int:
    return int(os.pread(descriptor, 20, 0) or b"0")
