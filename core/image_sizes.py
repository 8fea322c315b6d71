"""How many pixels a picture says that it has: read from its header alone, nothing is decoded."""

import re
from collections.abc import Callable
from typing import Final

Size = tuple[int, int]

_NO_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXTENTS: Final = re.compile(rb"ispe\0\0\0\0(.{4})(.{4})", re.DOTALL)


def size_of(head: bytes, content_type: str) -> Size | None:
    """Return width and height in pixels; None where the header is broken or of a kind that is not known here."""
    read = _READERS.get(content_type)
    if read is None:
        return None
    try:
        width, height = read(head)
    except (IndexError, TypeError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def is_readable(content_type: str) -> bool:
    """Return whether the size of such a picture can be told."""
    return content_type in _READERS


def _png(head: bytes) -> Size:
    if head[12:16] != b"IHDR" or len(head) < 24:
        raise ValueError
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _gif(head: bytes) -> Size:
    return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")


def _bmp(head: bytes) -> Size:
    width, height = (int.from_bytes(head[place : place + 4], "little", signed=True) for place in (18, 22))
    return width, abs(height)


def _jpeg(head: bytes) -> Size:
    place = 2
    while place + 9 <= len(head):
        if head[place] != 0xFF:
            raise ValueError
        marker = head[place + 1]
        if marker in _FRAMES:
            return int.from_bytes(head[place + 7 : place + 9], "big"), int.from_bytes(
                head[place + 5 : place + 7], "big"
            )
        if marker == 0xFF:
            place += 1
        elif marker in _NO_LENGTH:
            place += 2
        else:
            place += 2 + max(2, int.from_bytes(head[place + 2 : place + 4], "big"))
    raise ValueError


def _webp(head: bytes) -> Size:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    raise ValueError


def _isobmff(head: bytes) -> Size:
    """Return the largest extents that any item of an AVIF or HEIF file declares (ISO/IEC 23008-12, 6.5.3)."""
    found = [(int.from_bytes(w, "big"), int.from_bytes(h, "big")) for w, h in _EXTENTS.findall(head)]
    return max(found, key=lambda size: size[0] * size[1])


_READERS: Final[dict[str, Callable[[bytes], Size]]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/bmp": _bmp,
    "image/webp": _webp,
    "image/avif": _isobmff,
    "image/heic": _isobmff,
    "image/heif": _isobmff,
}
