"""Where files are: a folder of this machine, or S3; everybody else says `default_storage` and the functions here.

Links are short and signed in both cases, and a stored name is never overwritten. `upload_way` is how a client sends
a content straight to the storage; `copy` and `chunks` work on what is stored without holding it in memory.
"""

import mimetypes
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.core import signing
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils.http import content_disposition_header

from core.errors import NotFound
from core.storage.arriving import write_once

LINK_LIFETIME: Final = timedelta(minutes=5)
_SALT: Final = "core.storage.link"
_UPLOAD_SALT: Final = "core.storage.upload"
_CHUNK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class UploadWay:
    """How a client sends a content: one request, with these headers besides the length."""

    method: str
    url: str
    headers: dict[str, str]


class LocalStorage(FileSystemStorage):
    """A folder of this machine; its links lead to our own `/files/` path."""

    def url(self, name: str | None) -> str:
        return signed_url(name or "")

    def upload_way(self, name: str, *, size: int, content_type: str, expires: timedelta) -> UploadWay:
        """Return an address of ours, which takes this content once."""
        token = signing.dumps([name, size, int(time.time() + expires.total_seconds())], salt=_UPLOAD_SALT)
        return UploadWay("PUT", f"{settings.PUBLIC_URL}/files/uploads/{token}", {"Content-Type": content_type})

    def receive(self, name: str, stream: IO[bytes], *, size: int) -> None:
        """Keep what comes in under the name; raises `Conflict` or `ValidationFailed` (see `arriving`)."""
        write_once(Path(self.path(name)), stream, size=size)

    def copy(self, source: str, target: str) -> None:
        """Give the content a second name; whoever can still reach the first cannot change the second."""
        path = Path(self.path(target))
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # What is there under a name is whole, and nobody has it open for writing: two names of it are two copies.
            os.link(self.path(source), path)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copyfile(self.path(source), path)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content piece by piece."""
        with Path(self.path(name)).open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


@dataclass(frozen=True, slots=True)
class Link:
    """What a signed link of ours allows: one file, under a name, as a type."""

    name: str
    filename: str
    content_type: str
    may_be_cached: bool = True


def signed_url(
    name: str,
    *,
    filename: str = "",
    content_type: str = "",
    expires: timedelta = LINK_LIFETIME,
    may_be_cached: bool = True,
) -> str:
    """Return an address that serves the stored file `name` as a download until it expires.

    Where it may not be cached, no browser keeps a copy either.
    """
    link = Link(
        name=name,
        filename=filename or name.rpartition("/")[2],
        content_type=content_type or mimetypes.guess_type(name)[0] or "application/octet-stream",
        may_be_cached=may_be_cached,
    )
    return _s3_url(link, expires) if settings.S3_BUCKET else _local_url(link, expires)


def upload_way(name: str, *, size: int, content_type: str, expires: timedelta) -> UploadWay:
    """Return how a client sends a content of exactly this size and type, to be stored under the name."""
    storage: Any = default_storage
    way: UploadWay = storage.upload_way(name, size=size, content_type=content_type, expires=expires)
    return way


def open_upload(token: str) -> tuple[str, int]:
    """Return which name and size an upload address of ours stands for; raises `NotFound` when it serves no more."""
    try:
        name, size, expires_at = signing.loads(token, salt=_UPLOAD_SALT)
    except signing.BadSignature:
        raise NotFound from None
    if time.time() > expires_at:
        raise NotFound
    return name, size


def receive(name: str, stream: IO[bytes], *, size: int) -> None:
    """Keep what a client sends to an upload address of ours; raises `NotFound` where files are kept elsewhere."""
    storage: Any = default_storage
    if not hasattr(storage, "receive"):
        raise NotFound
    storage.receive(name, stream, size=size)


def copy(source: str, target: str) -> None:
    """Copy a content within the storage; raises `FileNotFoundError` when there is none."""
    storage: Any = default_storage
    storage.copy(source, target)


def chunks(name: str) -> Iterator[bytes]:
    """Yield a content piece by piece; raises `FileNotFoundError` when there is none."""
    storage: Any = default_storage
    yield from storage.chunks(name)


def open_link(token: str) -> "tuple[Link, File[bytes]]":
    """Return what a signed link of ours leads to; raises `NotFound` when it is forged, expired or the file is gone."""
    try:
        *fields, expires_at = signing.loads(token, salt=_SALT)
        link = Link(*fields)
        file = default_storage.open(link.name)
    except (signing.BadSignature, FileNotFoundError, SuspiciousFileOperation):
        raise NotFound from None
    if time.time() > expires_at:
        file.close()
        raise NotFound
    return link, file


def _local_url(link: Link, expires: timedelta) -> str:
    expires_at = int(time.time() + expires.total_seconds())
    token = signing.dumps([*astuple(link), expires_at], salt=_SALT)
    return f"{settings.PUBLIC_URL}/files/{token}"


def _s3_url(link: Link, expires: timedelta) -> str:
    parameters: dict[str, Any] = {
        "ResponseContentType": link.content_type,
        "ResponseContentDisposition": content_disposition_header(True, link.filename),
    }
    if not link.may_be_cached:
        parameters["ResponseCacheControl"] = "no-store"
    storage: Any = default_storage
    url: str = storage.url(link.name, parameters=parameters, expire=int(expires.total_seconds()))
    return url
