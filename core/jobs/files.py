"""The files of jobs: parts that steps leave for each other, and results. Each job has a folder of its own."""

from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, Protocol, Self, TypeVar
from uuid import UUID, uuid4

from django.core.files.base import File
from django.core.files.storage import default_storage

from core.models import Job
from core.storage import signed_url


def save(job_id: UUID, content: IO[bytes], *, name: str) -> str:
    """Store a file of the job under a name of its own; return that."""
    return default_storage.save(f"{_folder(job_id)}/{uuid4().hex}-{name}", File(content))


def result_url(job: Job) -> str:
    """Return a link to the job's result that serves for five minutes and may be kept by no cache."""
    return signed_url(job.result, filename=job.result_name, content_type=job.result_type, may_be_cached=False)


def files_of(job_id: UUID) -> list[str]:
    """Return the names of all that is stored for the job."""
    folder = _folder(job_id)
    try:
        _, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return []
    return [f"{folder}/{name}" for name in names]


def remove(job_id: UUID, *, keep: str = "") -> int:
    """Delete the job's files but `keep`; return how many. Safe to repeat."""
    stored = files_of(job_id)
    unwanted = [name for name in stored if name != keep]
    for name in unwanted:
        default_storage.delete(name)
    if unwanted == stored:
        # A bucket has no folders; on a disk the empty one goes, unless a file has come into it meanwhile.
        with suppress(OSError):
            default_storage.delete(_folder(job_id))
    return len(unwanted)


def _folder(job_id: UUID) -> str:
    return f"jobs/{job_id}"


class Closing(Protocol):
    """What has to be closed."""

    def close(self) -> None: ...


Kept = TypeVar("Kept", bound=Closing)


class OpenFiles:
    """What the steps of a slice share: stored files, opened once because one of a bucket is fetched for it, and more.

    All of it is closed with the slice, the last opened first.
    """

    def __init__(self) -> None:
        self._opened: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._opened:
            self._opened.popitem()[1].close()

    def get(self, name: str) -> IO[bytes]:
        """Return the stored file, opened now or before; where it stands is whatever the last reader left."""
        return self.once(f"file {name}", lambda: default_storage.open(name))

    def once(self, key: str, make: Callable[[], Kept]) -> Kept:
        """Return what was made under this key, now or by an earlier step."""
        if key not in self._opened:
            self._opened[key] = make()
        kept: Kept = self._opened[key]
        return kept
