"""Pictures for tests, good and hostile; in tests alone they are made in the process itself."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image, ImageCms

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 60), (20, 40, 220)


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    """Return the picture as a file."""
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def decoded(raw: bytes) -> Image.Image:
    """Return the picture in a file."""
    picture = Image.open(BytesIO(raw))
    picture.load()
    return picture


def plain(form: str = "PNG", size: tuple[int, int] = (300, 200), colour: Any = RED, **options: Any) -> bytes:
    """Return a picture of one colour."""
    return encoded(Image.new("RGB", size, colour), form, **options)


def halves(form: str = "PNG", size: tuple[int, int] = (400, 300), **options: Any) -> bytes:
    """Return a picture whose left half is red and whose right half is blue."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return encoded(picture, form, **options)


def with_metadata(form: str = "JPEG") -> bytes:
    """Return a picture that says where it was taken, on its side, with a colour profile and a comment."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be seen turned by a quarter, clockwise
    exif[0x010F] = "SECRET-MAKER"
    exif.get_ifd(0x8825)[29] = "SECRET-GPS-DATE"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options: dict[str, Any] = {"xmp": b"<x:xmpmeta>SECRET-XMP</x:xmpmeta>"} if form in {"JPEG", "WEBP"} else {}
    if form == "JPEG":
        options["comment"] = b"SECRET-COMMENT"
    return halves(form, exif=exif, icc_profile=profile, **options)


def animation(form: str) -> bytes:
    """Return an animation whose first frame is green and whose second is red."""
    frames = [Image.new("RGB", (100, 100), colour) for colour in (GREEN, RED)]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100, lossless=True)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *extra: bytes) -> bytes:
    """Return a black PNG that is small as a file, however many pixels it has."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    chunks = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def zlib_bomb() -> bytes:
    """Return a PNG of one pixel with a text chunk that unpacks to 300 MiB."""
    return png(1, 1, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(300 * 1024 * 1024), 9)))
