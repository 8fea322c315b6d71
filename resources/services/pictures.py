"""Pictures of files in the sizes that clients ask for: each made once, by whoever asks first.

A row is the claim to make one: it is taken by one UPDATE, serves for a minute, and no transaction is open while the
child works. Who asks meanwhile waits, a little and few at a time. What cannot be made is remembered for an hour, for
the whole version: a damaged file costs one child, not one for each size.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from core import storage
from core.addresses import limit_identity
from core.context import current
from core.errors import ApplicationError, Conflict, NotFound, RateLimited, ServiceUnavailable, ValidationFailed
from core.images import make_variants
from core.permissions import Caller
from core.ratelimit import take
from core.storage import signed_url
from resources.models import FileState, FileVariant, FileVersion
from resources.pictures import SOURCES, Picture
from resources.services.file_contents import MOST_PIXELS, new_key
from resources.services.files import file_for
from resources.services.variants import VARIANTS, forget_variants

MOST_VARIANTS: Final = 60
"""How many pictures one version has at a time; beyond that the oldest goes."""

LARGEST_SOURCE: Final = 64 * 1024 * 1024
FAILURE_KEPT: Final = timedelta(hours=1)
_CLAIM: Final = timedelta(seconds=60)
_WAIT_SECONDS: Final = 8.0
_POLL_SECONDS: Final = 0.1
_WAITING: Final = 4
_waiting: Final = threading.BoundedSemaphore(_WAITING)


def picture_link(caller: Caller, file_id: UUID, wanted: Picture) -> str:
    """Return a signed link to the picture in a file that the caller may read, after making it if need be.

    Raises `NotFound`, `Conflict` while the file is not ready, `ValidationFailed` for what is no picture or cannot be
    made one, `RateLimited` for who has many made, `ServiceUnavailable` when it takes too long.
    """
    version = file_for(caller, file_id)
    if version.state != FileState.READY:
        raise Conflict("This file is not ready.")
    _refuse_hopeless(version)
    key = _made_before(version, wanted) or _made_now(version, wanted, caller)
    name = f"{version.name.rpartition('.')[0] or version.name}.{wanted.format}"
    return signed_url(key, filename=name, content_type=wanted.content_type)


def _refuse_hopeless(version: FileVersion) -> None:
    kind, _, form = version.content_type.partition("/")
    if kind != "image" or form not in SOURCES:
        raise _refusal("not_an_image", f"Pictures are made of {', '.join(SOURCES)}.")
    if version.size > LARGEST_SOURCE:
        raise _refusal("too_large", f"Pictures are made of files to {LARGEST_SOURCE // 1024 // 1024} MiB.")


def _refusal(code: str, message: str = "No picture can be made of this file.") -> ValidationFailed:
    return ValidationFailed.of("file", code, message)


def _made_before(version: FileVersion, wanted: Picture) -> str:
    """Return the key of the picture, empty when it is to be made; raises what the last attempt ended with."""
    found = FileVariant.objects.filter(version=version).filter(
        Q(form=wanted.name) | Q(problem__gt="", busy_until__gt=Now())
    )
    rows = {form: (key, problem) for form, key, problem in found.values_list("form", "key", "problem")}
    key, _ = rows.get(wanted.name, ("", ""))
    problems = [problem for _, problem in rows.values() if problem]
    if not key and problems:
        raise _refusal(problems[0])
    return key


def _made_now(version: FileVersion, wanted: Picture, caller: Caller) -> str:
    row, _ = FileVariant.objects.get_or_create(version=version, form=wanted.name)
    if _claim(row):
        return _make(version, row, wanted, caller)
    with _place_to_wait():
        until = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            key = _made_before(version, wanted)
            if key:
                return key
            if _claim(row):
                return _make(version, row, wanted, caller)
    raise ServiceUnavailable


def _claim(row: FileVariant) -> bool:
    free = Q(busy_until=None) | Q(busy_until__lt=Now())
    claimed = FileVariant.objects.filter(free, pk=row.pk, key="")
    return claimed.update(busy_until=Now() + _CLAIM, problem="") == 1


@contextmanager
def _place_to_wait() -> Iterator[None]:
    if not _waiting.acquire(blocking=False):
        raise ServiceUnavailable
    try:
        yield
    finally:
        _waiting.release()


def _make(version: FileVersion, row: FileVariant, wanted: Picture, caller: Caller) -> str:
    """Make the picture of a claimed row, and return its key."""
    claimed = FileVariant.objects.filter(pk=row.pk, key="")
    try:
        _charge(caller)
        content = _made(version, wanted)
        key = default_storage.save(f"{new_key(VARIANTS)}.{wanted.format}", ContentFile(content))
    except ValidationFailed as refusal:
        claimed.update(problem=refusal.details[0].code, busy_until=Now() + FAILURE_KEPT)
        raise
    except (ApplicationError, OSError):
        claimed.update(busy_until=None)
        raise
    if not claimed.update(key=key, size=len(content), busy_until=None):
        # The file is gone, or the claim ran out and somebody else was quicker.
        default_storage.delete(key)
        key = FileVariant.objects.filter(pk=row.pk).values_list("key", flat=True).first() or ""
    if not key:
        raise NotFound
    _forget_oldest(version)
    return key


def _charge(caller: Caller) -> None:
    """Let nobody have pictures made without end."""
    verdict = take("picture", str(caller.id) if caller.id else limit_identity(current().ip))
    if not verdict.allowed:
        raise RateLimited(retry_after=verdict.retry_after)


def _made(version: FileVersion, wanted: Picture) -> bytes:
    try:
        made = make_variants(storage.chunks(version.key), [wanted.variant()], formats=SOURCES, most_pixels=MOST_PIXELS)
    except FileNotFoundError:
        raise NotFound from None
    return made.files[wanted.name]


def _forget_oldest(version: FileVersion) -> None:
    made = FileVariant.objects.filter(version=version).exclude(key="")
    spared = made.order_by("-updated_at", "-pk").values("pk")[:MOST_VARIANTS]
    older = list(made.exclude(pk__in=spared).values_list("pk", flat=True))
    if older:
        with transaction.atomic():
            forget_variants(FileVariant.objects.filter(pk__in=older))
