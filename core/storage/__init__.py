"""Where files are: a folder of this machine, or S3; everybody else says `default_storage` and `signed_url`.

Links are short and signed in both cases, and a stored name is never overwritten.
"""

import mimetypes
import time
from dataclasses import astuple, dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils.http import content_disposition_header

from core.errors import NotFound

LINK_LIFETIME: Final = timedelta(minutes=5)
_SALT: Final = "core.storage.link"


class LocalStorage(FileSystemStorage):
    """A folder of this machine; its links lead to our own `/files/` path."""

    def url(self, name: str | None) -> str:
        return signed_url(name or "")


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
