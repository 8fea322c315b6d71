"""What is in a file: read once, as a stream, before anything believes its name."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import IO, Final

from django.core.files.base import File as Content
from django.core.files.storage import default_storage

from core.content_types import HEAD, TAIL, ends_as_archive, sniff
from core.errors import ValidationFailed
from core.image_sizes import is_readable, size_of

MOST_PIXELS: Final = 50_000_000
FOLDER: Final = "files"
_CHUNK: Final = 64 * 1024
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


def examine(content: IO[bytes], *, name: str, claimed_type: str = "") -> Examined:
    """Return what the content is, and leave it at its beginning.

    Raises `ValidationFailed` on `file`: `empty`, `not_an_image` for what is called a picture and is none (or is an
    archive too), `broken_image`, `too_many_pixels`.
    """
    digest, head, tail, size = hashlib.sha256(), bytearray(), b"", 0
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
        head += chunk[: HEAD - len(head)]
        tail = (tail + chunk)[-TAIL:]
        size += len(chunk)
    content.seek(0)
    if not size:
        raise ValidationFailed.of("file", "empty", "The submitted file is empty.")
    kind = sniff(bytes(head))
    _refuse_false_image(kind, tail, is_called_image=_is_called_image(name, claimed_type))
    width, height = _pixels(bytes(head), kind)
    return Examined(kind, size, digest.hexdigest(), width, height)


def store(content: IO[bytes]) -> str:
    """Keep the content under a new name that nobody can guess; return that."""
    number = secrets.token_hex(20)
    return default_storage.save(f"{FOLDER}/{number[:2]}/{number}", Content(content))


def _is_called_image(name: str, claimed_type: str) -> bool:
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    return ending in _IMAGE_ENDINGS or claimed_type.strip().lower().startswith("image/")


def _refuse_false_image(kind: str, tail: bytes, *, is_called_image: bool) -> None:
    is_image = kind.startswith("image/")
    if (is_called_image and not is_image) or (is_image and ends_as_archive(tail)):
        raise ValidationFailed.of("file", "not_an_image", "This is called a picture, and its content is none.")


def _pixels(head: bytes, kind: str) -> tuple[int | None, int | None]:
    if not is_readable(kind):
        return None, None
    size = size_of(head, kind)
    if size is None:
        raise ValidationFailed.of("file", "broken_image", "This picture is damaged.")
    if size[0] * size[1] > MOST_PIXELS:
        message = f"Send a picture of at most {MOST_PIXELS // 1_000_000} megapixels."
        raise ValidationFailed.of("file", "too_many_pixels", message)
    return size
