"""Pictures that people send: decoded in a child process, and made anew in the sizes that are wanted.

    made = make_variants(raw, (Variant("small", 64, 64), Variant("page", 1200, 1200, fit="contain")))
    made.files["small"]      # bytes of a WebP picture, upright, in sRGB, without metadata

This process never decodes. The child (`core.image_child`) may use so much memory and so many seconds, and has no
secret in its environment; what it answers is measured before it is read. Few children run side by side, and few
callers wait.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Final, Literal

from core import image_child
from core.errors import ServiceUnavailable, ValidationFailed

Fit = Literal["cover", "contain"]
Format = Literal["webp", "jpeg", "png", "avif"]

CHILDREN: Final = 2
WAITING: Final = 4
WAIT_SECONDS: Final = 10.0
MOST_PIXELS: Final = 25_000_000
PHOTOGRAPHS: Final = ("jpeg", "png", "webp")
_WALL_SECONDS: Final = 30.0
_LONGEST_HEAD: Final = 4096

_places: Final = threading.BoundedSemaphore(CHILDREN + WAITING)
_children: Final = threading.BoundedSemaphore(CHILDREN)


@dataclass(frozen=True, slots=True)
class Variant:
    """One picture to be made: at most so wide and high (in pixels), never larger than what it is made from.

    `cover` cuts to the shape, `contain` keeps the picture whole. `quality` is 1 to 100, and nothing to PNG.
    """

    name: str
    width: int
    height: int
    fit: Fit = "cover"
    format: Format = "webp"
    quality: int = 80


@dataclass(frozen=True, slots=True)
class Variants:
    """What was made of a picture: the format and size that it had, upright, and the files by their variants' names."""

    format: str
    width: int
    height: int
    files: dict[str, bytes]


_MESSAGES: Final = {
    image_child.NOT_AN_IMAGE: "Send a picture of these formats: {formats}.",
    image_child.TOO_MANY_PIXELS: "Send a picture of at most {megapixels:g} megapixels.",
    image_child.BROKEN_IMAGE: "This picture is damaged, or takes too much to read.",
}


def make_variants(
    raw: bytes | Iterable[bytes],
    wanted: Sequence[Variant],
    *,
    formats: Sequence[str] = PHOTOGRAPHS,
    most_pixels: int = MOST_PIXELS,
    field: str = "file",
) -> Variants:
    """Return the variants of a picture whose content is in one of `formats`; of an animation, of its first frame.

    A content that comes in pieces is never in this process as a whole.

    Raises `ValidationFailed` on `field` with `not_an_image`, `too_many_pixels` or `broken_image`, and
    `ServiceUnavailable` when too many pictures are being made already.
    """
    job = {
        "formats": [name.upper() for name in formats],
        "most_pixels": most_pixels,
        "variants": [asdict(variant) for variant in wanted],
    }
    with _place(), tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as answer:
        source.writelines([raw] if isinstance(raw, bytes) else raw)
        source.seek(0)
        _run(job, source, answer)
        made = _read(answer, wanted)
    if isinstance(made, Variants):
        return made
    message = _MESSAGES[made].format(formats=", ".join(formats).upper(), megapixels=most_pixels / 1e6)
    raise ValidationFailed.of(field, made, message)


@contextmanager
def _place() -> Iterator[None]:
    """Hold a child's place for the block, after waiting for one; raises `ServiceUnavailable` when too many wait."""
    if not _places.acquire(blocking=False):
        raise ServiceUnavailable
    try:
        if not _children.acquire(timeout=WAIT_SECONDS):
            raise ServiceUnavailable
        try:
            yield
        finally:
            _children.release()
    finally:
        _places.release()


def _run(job: dict[str, Any], source: IO[bytes], answer: IO[bytes]) -> None:
    """Run the child; how it ended does not matter, for only a whole answer counts."""
    try:
        subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-I", "-S", image_child.__file__, _library(), json.dumps(job)],
            stdin=source,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=_WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return
    except OSError as error:
        raise ServiceUnavailable from error


@cache
def _library() -> str:
    """Return the folder that Pillow is in; nothing of it is loaded here."""
    found = importlib.util.find_spec("PIL")
    if found is None or found.origin is None:
        raise ImportError("Pillow is not installed.")
    return str(Path(found.origin).parent.parent)


def _read(answer: IO[bytes], wanted: Sequence[Variant]) -> Variants | str:
    """Return what the child made, or the code of what it refused; an answer that is not whole is a broken picture."""
    answer.seek(0)
    head = _head(answer.readline(_LONGEST_HEAD))
    if str(head.get("error")) in _MESSAGES:
        return str(head["error"])
    form, width, height, sizes = _described(head)
    if type(form) is not str or type(sizes) is not list or not _are_sizes(width, height, *sizes):
        return image_child.BROKEN_IMAGE
    files = [answer.read(size) for size in sizes]
    if len(files) != len(wanted) or [len(file) for file in files] != sizes:
        return image_child.BROKEN_IMAGE
    names = [variant.name for variant in wanted]
    return Variants(form, width, height, dict(zip(names, files, strict=True)))


def _described(head: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    return head.get("format"), head.get("width"), head.get("height"), head.get("sizes")


def _are_sizes(*values: Any) -> bool:
    return all(type(value) is int and value > 0 for value in values)


def _head(line: bytes) -> dict[str, Any]:
    try:
        head = json.loads(line)
    except ValueError:
        return {}
    return head if isinstance(head, dict) else {}
