"""ETag, If-Match and If-None-Match: a tag is the row's version in quotes.

A tag names a state, not bytes, so a tag that a compressing proxy has marked weak (`W/"3"`) counts as the same. Where a
version looks different to different people, a digest of what makes the difference follows it (`"3-5f2a…"`): that tells
caches apart what they hold, and says nothing of the version that a write means.
"""

import hashlib
import re
import time
from datetime import datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from core.api.envelope import Bodiless
from core.errors import PreconditionFailed
from core.headers import put

CACHE_CONTROL: Final = "private, no-cache"

Version = int | str | datetime

_DIGITS: Final = 12
_SEEN: Final = re.compile(rf'-[0-9a-f]{{{_DIGITS}}}"')
"""The end of a tag that says how a version is seen."""


def etag(version: Version) -> str:
    """Return the tag of a version; rows without a version column give their `updated_at`."""
    if isinstance(version, datetime):
        return f'"{int(version.timestamp() * 1_000_000):x}"'
    return f'"{version}"'


def tag_of(version: Version, *seen: object) -> str:
    """Return what the tag of a version says where it is seen in more than one way: `seen` is what tells them apart."""
    digest = hashlib.sha256("|".join(map(str, seen)).encode()).hexdigest()
    return f"{version}-{digest[:_DIGITS]}"


def linked_tags(version: Version, *seen: object) -> tuple[str, str]:
    """Return what the tag of an answer with a signed link says, in this minute and in the last.

    Such a link serves for five minutes: a client that has one of the last two need not be sent another.
    """
    minute = int(time.time() // 60)
    return tag_of(version, *seen, minute), tag_of(version, *seen, minute - 1)


def require_match(request: Request | HttpRequest, version: Version) -> None:
    """Raise `PreconditionFailed` when `If-Match` is given and names another version."""
    header = request.META.get("HTTP_IF_MATCH")
    if header is not None and not _names(_SEEN.sub('"', header), etag(version)):
        raise PreconditionFailed


def not_modified(request: Request | HttpRequest, *versions: Version) -> HttpResponse | None:
    """Return 304 when `If-None-Match` names this version (or one of them), else None."""
    header = request.META.get("HTTP_IF_NONE_MATCH")
    known = next((etag(one) for one in versions if header is not None and _names(header, etag(one))), None)
    if known is None:
        return None
    response = Bodiless(status=304)
    put(response.headers, "ETag", known)
    return response


def _names(header: str, tag: str) -> bool:
    tags = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in tags or tag in tags
