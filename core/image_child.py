"""The program in which pictures are decoded: a process of its own, with little memory, little time and no secrets.

    python -I -S image_child.py <folder of Pillow> <job as JSON>  < picture  > answer

`core.images` starts it. It gives away the right to use more before it looks at a single byte. The answer is a line of
JSON, then the variants one after the other; or a line that names the fault.
"""

import json
import resource
import sys
import warnings
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

BASE_MEMORY: Final = 128 * 1024 * 1024
MEMORY_PER_PIXEL: Final = 16
"""Bytes of address space: a WebP decoder holds four bytes of each pixel three times, and Pillow once."""

CPU_SECONDS: Final = 15
OUTPUT: Final = 64 * 1024 * 1024

NOT_AN_IMAGE: Final = "not_an_image"
TOO_MANY_PIXELS: Final = "too_many_pixels"
BROKEN_IMAGE: Final = "broken_image"

_COLOURS: Final = frozenset({"L", "RGB", "RGBA", "CMYK"})
"""The modes that a picture is made smaller in; any other becomes RGB or RGBA first."""


def main(library: str, job_text: str, source: BinaryIO, answer: BinaryIO) -> None:
    """Read the picture, and write the answer."""
    job = json.loads(job_text)
    _limit(memory=BASE_MEMORY + MEMORY_PER_PIXEL * job["most_pixels"])
    sys.path.append(library)
    try:
        head, parts = _work(job, source.read())
    except _Refused as refused:
        head, parts = {"error": refused.code}, []
    answer.write(json.dumps(head).encode() + b"\n" + b"".join(parts))
    answer.flush()


def _limit(*, memory: int) -> None:
    """Give away, for good, the right to more memory, time and output, and to leave a core file."""
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: OUTPUT,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


class _Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _work(job: dict[str, Any], raw: bytes) -> tuple[dict[str, Any], list[bytes]]:
    picture, kind = _opened(raw, job["formats"], job["most_pixels"])
    width, height = picture.size
    # What a damaged or hostile file makes the decoders raise is open-ended, and here there is nothing to protect.
    try:
        # No step keeps what it was given: of fifty megapixels there is room for one picture, and one more for a moment.
        picture = _decoded(picture, job["variants"])
        lying = picture.size
        picture = _upright(picture)
        if picture.size != lying:
            width, height = height, width
        picture = _in_srgb(picture)
        parts = [_made(picture, variant) for variant in job["variants"]]
    except Exception:
        raise _Refused(BROKEN_IMAGE) from None
    head = {"format": kind.lower(), "width": width, "height": height, "sizes": [len(part) for part in parts]}
    return head, parts


def _opened(raw: bytes, formats: list[str], most_pixels: int) -> "tuple[Picture, str]":
    """Return the picture by its header, of which nothing is decoded yet, and the format that its content is in."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = most_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        picture = Image.open(BytesIO(raw), formats=formats)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _Refused(TOO_MANY_PIXELS) from None
    except UnidentifiedImageError:
        raise _Refused(NOT_AN_IMAGE) from None
    except Exception:
        raise _Refused(BROKEN_IMAGE) from None
    return picture, picture.format or ""


def _decoded(picture: "Picture", variants: list[dict[str, Any]]) -> "Picture":
    """Return the first frame, roughly made smaller, yet at least twice as large as what is wanted of it."""
    enough = 2 * max(max(variant["width"], variant["height"]) for variant in variants)
    shortest = min(picture.size)
    if shortest > enough:
        picture.draft(None, (enough * picture.width // shortest, enough * picture.height // shortest))
    picture.load()
    if picture.mode not in _COLOURS:
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    factor = min(picture.size) // enough
    return picture.reduce(factor) if factor > 1 else picture


def _upright(picture: "Picture") -> "Picture":
    """Return the picture as its EXIF data says that it is to be seen; data that cannot be read says nothing."""
    from PIL import ImageOps

    with suppress(Exception):
        ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _in_srgb(picture: "Picture") -> "Picture":
    """Return the picture in sRGB, with transparency where it has some; a profile that cannot be read says nothing."""
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    profile = picture.info.get("icc_profile")
    if profile:
        with suppress(Exception):
            return _by_profile(picture, profile)
    return picture if picture.mode == mode else picture.convert(mode)


def _by_profile(picture: "Picture", profile: bytes) -> "Picture":
    from PIL import ImageCms

    given = ImageCms.ImageCmsProfile(BytesIO(profile))
    wanted = "RGBA" if picture.mode == "RGBA" else "RGB"
    turned = ImageCms.profileToProfile(picture, given, ImageCms.createProfile("sRGB"), outputMode=wanted)
    if turned is None or (picture.has_transparency_data and wanted == "RGB"):
        raise ValueError
    return turned


def _made(picture: "Picture", variant: dict[str, Any]) -> bytes:
    """Return one variant as a file without a word of metadata; none is larger than the picture itself."""
    from PIL import Image

    made = _fitted(picture, variant["width"], variant["height"], covers=variant["fit"] == "cover")
    if variant["format"] == "jpeg" and made.mode == "RGBA":
        ground = Image.new("RGB", made.size, "white")
        ground.paste(made, mask=made.getchannel("A"))
        made = ground
    # Savers take profiles, comments and EXIF data from here.
    made.info = {}
    file = BytesIO()
    made.save(file, variant["format"].upper(), **_options(variant))
    return file.getvalue()


def _fitted(picture: "Picture", width: int, height: int, *, covers: bool) -> "Picture":
    from PIL import Image, ImageOps

    if covers:
        shrink = min(1.0, picture.width / width, picture.height / height)
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    shrink = min(1.0, width / picture.width, height / picture.height)
    size = (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink)))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _options(variant: dict[str, Any]) -> dict[str, Any]:
    if variant["format"] == "png":
        return {"optimize": True}
    return {"quality": variant["quality"]}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin.buffer, sys.stdout.buffer)
