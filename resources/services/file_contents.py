"""What is in a file: read once, as a stream, before anything believes its name."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import IO, Final

from django.core.files.base import File as Content
from django.core.files.storage import default_storage

from core.content_types import HEAD, TAIL, ends_as_archive, is_of_claimed_type, sniff
from core.errors import ValidationFailed
from core.image_sizes import is_readable, size_of

MOST_PIXELS: Final = 50_000_000
FOLDER: Final = "files"
"""Where contents are; nobody but this server ever writes there."""

UPLOADS: Final = "uploads"
"""Where clients put what they upload by themselves, until it has been examined."""

_CHUNK: Final = 64 * 1024
_REFUSALS: Final = {
    "empty": "The submitted file is empty.",
    "not_an_image": "This is called a picture, and its content is none.",
    "broken_image": "This picture is damaged.",
    "too_many_pixels": f"Send a picture of at most {MOST_PIXELS // 1_000_000} megapixels.",
    "wrong_type": "The content is not of the type that was announced.",
    "size_mismatch": "The content does not have the size that was announced.",
    "hash_mismatch": "The content does not have the SHA-256 that was announced.",
}
_IMAGE_ENDINGS: Final = frozenset(
    {"png", "jpg", "jpeg", "jpe", "jfif", "gif", "webp", "avif", "heic", "heif", "bmp", "tif", "tiff", "ico", "svg"}
)


@dataclass(frozen=True, slots=True)
class Examined:
    """What a content is: its type as it shows itself, its bytes counted and hashed, a picture's pixels."""

    content_type: str
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None


def refused(code: str) -> ValidationFailed:
    """Return the error that tells of a content refused for this reason."""
    return ValidationFailed.of("file", code, _REFUSALS.get(code, "This content was refused."))


def examine(content: IO[bytes], *, name: str, claimed_type: str = "") -> Examined:
    """Return what the content is, and leave it at its beginning; raises what `examine_chunks` raises."""
    found = examine_chunks(iter(partial(content.read, _CHUNK), b""), name=name, claimed_type=claimed_type)
    content.seek(0)
    return found


def examine_chunks(chunks: Iterable[bytes], *, name: str, claimed_type: str = "") -> Examined:
    """Return what the content is that comes in these chunks.

    Raises `ValidationFailed` on `file`: `empty`, `not_an_image` for what is called a picture and is none (or is an
    archive too), `wrong_type` for what is announced as sound, film, font or PDF and is none, `broken_image`,
    `too_many_pixels`.
    """
    digest, head, tail, size = hashlib.sha256(), bytearray(), b"", 0
    for chunk in chunks:
        digest.update(chunk)
        head += chunk[: HEAD - len(head)]
        tail = (tail + chunk)[-TAIL:]
        size += len(chunk)
    if not size:
        raise refused("empty")
    kind = sniff(bytes(head))
    _refuse_false_image(kind, tail, is_called_image=_is_called_image(name, claimed_type))
    if not is_of_claimed_type(kind, claimed_type):
        raise refused("wrong_type")
    width, height = _pixels(bytes(head), kind)
    return Examined(kind, size, digest.hexdigest(), width, height)


def new_key(folder: str) -> str:
    """Return a name in storage that nobody has and nobody can guess."""
    number = secrets.token_hex(20)
    return f"{folder}/{number[:2]}/{number}"


def store(content: IO[bytes]) -> str:
    """Keep the content under a new name; return that."""
    return default_storage.save(new_key(FOLDER), Content(content))


def _is_called_image(name: str, claimed_type: str) -> bool:
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    return ending in _IMAGE_ENDINGS or claimed_type.strip().lower().startswith("image/")


def _refuse_false_image(kind: str, tail: bytes, *, is_called_image: bool) -> None:
    is_image = kind.startswith("image/")
    if (is_called_image and not is_image) or (is_image and ends_as_archive(tail)):
        raise refused("not_an_image")


def _pixels(head: bytes, kind: str) -> tuple[int | None, int | None]:
    if not is_readable(kind):
        return None, None
    size = size_of(head, kind)
    if size is None:
        raise refused("broken_image")
    if size[0] * size[1] > MOST_PIXELS:
        raise refused("too_many_pixels")
    return size
