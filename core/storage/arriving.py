"""What a client sends to this machine's folder: written once, whole or not at all.

The bytes go to a file beside the wanted one, which is renamed when all of them are there. Its lock says that somebody
is writing; a process that dies lets go of it, and the client begins anew.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from core.errors import Conflict, ValidationFailed

PART: Final = ".part"
_CHUNK: Final = 256 * 1024


def write_once(path: Path, stream: IO[bytes], *, size: int) -> None:
    """Write exactly `size` bytes of the stream to a file that is not there yet.

    Raises `Conflict` when it is, or is being written, and `ValidationFailed` (`size_mismatch`) for another size.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PART)
    with _locked(part) as file:
        if path.exists():
            part.unlink()
            raise Conflict("This was uploaded already.")
        file.truncate(0)
        if _copy(stream, file, at_most=size) != size:
            part.unlink()
            raise ValidationFailed.of("file", "size_mismatch", f"Send exactly {size} bytes.")
        file.flush()
        part.rename(path)


@contextmanager
def _locked(part: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict("This is being uploaded already.") from None
        if not _is_still(part, file):
            # Whoever had the lock has finished and renamed the file: it is the whole content, not to be touched.
            raise Conflict("This was uploaded already.")
        yield file


def _is_still(part: Path, file: IO[bytes]) -> bool:
    try:
        return part.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def _copy(stream: IO[bytes], file: IO[bytes], *, at_most: int) -> int:
    """Return how many bytes came; of more than are wanted, one more is looked at."""
    copied = 0
    while copied <= at_most and (chunk := stream.read(min(_CHUNK, at_most + 1 - copied))):
        copied += len(chunk)
        file.write(chunk)
    return copied
