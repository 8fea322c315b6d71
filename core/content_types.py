"""What a file is, told by its content: names and the types that clients claim say nothing.

    kind = sniff(head)      # "image/png", "application/zip", "text/html", …

The table follows the WHATWG's MIME sniffing standard where that has a row; what is in no row is text, or bytes.
"""

import re
from typing import Final

HEAD: Final = 1024 * 1024
"""How much of a file's beginning `sniff` may be given: the size of a JPEG may stand behind its metadata."""

TAIL: Final = 66 * 1024
"""How much of a file's end tells an archive: a ZIP's directory stands there, before a comment of at most 64 KiB."""

UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\1\0", "image/vnd.microsoft.icon"),
    (b"%PDF-", "application/pdf"),
    (b"%!PS", "application/postscript"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-elf"),
    (b"OggS\0", "application/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"{\\rtf", "application/rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-cfb"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_IN_ZIP: Final = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (b"mimetypeapplication/epub+zip", "application/epub+zip"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "application/vnd.oasis.opendocument.spreadsheet"),
)
_ZIP: Final = b"PK\x03\x04"
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_END_LENGTH: Final = 22
_MARKUP_WITHIN: Final = 4096
_SPACE_AND_MARK: Final = b"\xef\xbb\xbf \t\r\n\x0c"
_SVG: Final = re.compile(rb"<(?:\w+:)?svg[\s>]", re.IGNORECASE)
_HTML: Final = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|style|title|meta|link|img)\b", re.IGNORECASE
)
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")

_ACTIVE: Final = frozenset(
    {"text/html", "image/svg+xml", "application/xml", "application/pdf", "application/postscript"}
)

_TOLD_BY_CONTENT: Final = ("audio/", "video/", "font/")
_OF_EITHER: Final = frozenset({"application/ogg", UNKNOWN})
"""What sounds, films and fonts may look like besides: an MP3 without a tag has no beginning of its own."""


def sniff(head: bytes) -> str:
    """Return the media type of the file that begins like this."""
    return _by_magic(head) or _by_markup(head) or (TEXT if is_text(head) else UNKNOWN)


def sent_as(content_type: str) -> str:
    """Return the type under which a file leaves: what a browser could run goes as bytes, as a download only."""
    return UNKNOWN if content_type in _ACTIVE else content_type


def is_of_claimed_type(kind: str, claimed_type: str) -> bool:
    """Return whether a content of the kind may be called so; of most types the content tells nothing either way."""
    claimed = claimed_type.partition(";")[0].strip().lower()
    if claimed == "application/pdf":
        return kind == claimed
    if claimed.startswith(_TOLD_BY_CONTENT):
        return kind in _OF_EITHER or kind.startswith(_TOLD_BY_CONTENT)
    return True


def ends_as_archive(tail: bytes) -> bool:
    """Return whether a ZIP's directory ends where the file ends: an archive, whatever it begins as."""
    start = tail.find(_ZIP_END)
    while start >= 0:
        comment = int.from_bytes(tail[start + 20 : start + 22], "little")
        if start + _ZIP_END_LENGTH + comment == len(tail):
            return True
        start = tail.find(_ZIP_END, start + 1)
    return False


def is_text(head: bytes) -> bool:
    """Return whether the bytes are UTF-8 without control characters; the last character may be cut."""
    if _BINARY.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and len(head) >= HEAD
    return True


def _by_magic(head: bytes) -> str | None:
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith((_ZIP, _ZIP_END)):
        return next((kind for mark, kind in _IN_ZIP if mark in head[:8192]), "application/zip")
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "image/bmp"
    return None


def _by_markup(head: bytes) -> str | None:
    start = head[:_MARKUP_WITHIN].lstrip(_SPACE_AND_MARK)
    if not start.startswith(b"<"):
        return None
    if _SVG.search(start):
        return "image/svg+xml"
    if _HTML.search(start):
        return "text/html"
    return "application/xml" if start.startswith((b"<?xml", b"<!")) else "text/html"
