"""Uploads: `multipart/form-data`, read as strictly as JSON is.

    class AvatarInput(StrictSerializer):
        file = UploadField(max_bytes=5 * MEBIBYTE)

    class Avatar(UploadView):
        access = {"POST": SIGNED_IN}
        file_limit = 5 * MEBIBYTE

        @operation("Upload a picture", request=AvatarInput, ...)
        def post(self, request): ...   # parse(AvatarInput, request)["file"] is an Upload

Parts are as RFC 7578 has them, each name once; a part with a file name is an `Upload`, one without is text. A transfer
encoding (base64, which Django would undo piece by piece), a preamble and endless headers are refused. The whole body is
held in memory, so `file_limit` is meant for files of a few mebibytes. For larger ones there are `SpooledUploadView` and
`LargeUploadField`, whose files wait on this machine's disk.
"""

import io
import mmap
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, ClassVar, Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters
from rest_framework import serializers
from rest_framework.parsers import BaseParser

from core.api.chunks import spool_body
from core.api.fields import UNSAFE_FILE_NAME, is_safe_file_name
from core.api.views import ApiView
from core.errors import ParseFailed, PayloadTooLarge, ValidationFailed

MEBIBYTE: Final = 1024 * 1024

_ALLOWANCE: Final = 64 * 1024
"""What a body may hold besides its file: boundaries, headers, fields."""

_MOST_PARTS: Final = 20
_LONGEST_HEAD: Final = 4096
_LONGEST_NAME: Final = 255
_END: Final = b"\r\n"
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046, 5.1.1
_PLAIN_ENCODINGS: Final = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent; name and type are what the client says, and say nothing of the content."""

    name: str
    content_type: str
    content: bytes


class LargeUpload(io.RawIOBase):
    """A file as it was sent, on this machine's disk: a window of the body, read from its start."""

    def __init__(self, name: str, body: IO[bytes], start: int, end: int) -> None:
        super().__init__()
        self.name = name
        self.size = max(0, end - start)
        self._body, self._start, self._position = body, start, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self.size - self._position))
        self._body.seek(self._start + self._position)
        content = self._body.read(wanted)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


class LargeUploadField(serializers.FileField):
    """A part that is a file, as a `SpooledUploadView` receives it."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, LargeUpload):
            self.fail("invalid")
        if not data.size:
            self.fail("empty")
        return data


class UploadField(serializers.FileField):
    """A part that is a file; a larger one than `max_bytes` is a 413."""

    def __init__(self, *, max_bytes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_bytes = max_bytes

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Upload):
            self.fail("invalid")
        if not data.content:
            self.fail("empty")
        if len(data.content) > self.max_bytes:
            raise PayloadTooLarge
        return data


class MultipartParser(BaseParser):
    """DRF's door to `parse_multipart`."""

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: IO[Any] | HttpRequest,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw = stream.body if isinstance(stream, HttpRequest) else stream.read()
        return parse_multipart(raw, _boundary(media_type or ""))


class UploadView(ApiView):
    """A view whose POST takes a file of at most `file_limit` bytes."""

    parser_classes = [MultipartParser]
    rate_limit = {"POST": "upload"}
    file_limit: ClassVar[int]

    @property
    def body_limit(self) -> int:
        return self.file_limit + _ALLOWANCE


class SpooledMultipartParser(BaseParser):
    """DRF's door to a body that its view has put on disk."""

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: IO[Any] | HttpRequest,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        spooled: IO[bytes] | None = (parser_context or {})["view"].spooled
        if spooled is None:
            raise _malformed()
        return parse_spooled(spooled, _boundary(media_type or ""))


class SpooledUploadView(ApiView):
    """A view whose POST takes a file that may be larger than memory should hold."""

    parser_classes = [SpooledMultipartParser]
    spooled: IO[bytes] | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            if self.spooled is not None:
                self.spooled.close()

    @property
    def file_limit(self) -> int:
        """Return how many bytes the file may have."""
        raise NotImplementedError

    def receive_body(self, request: HttpRequest) -> None:
        if request.method != "POST":
            super().receive_body(request)
            return
        self.spooled = tempfile.TemporaryFile()  # noqa: SIM115  # `dispatch` closes it
        spool_body(request, self.file_limit + _ALLOWANCE, self.spooled)


def parse_spooled(body: IO[bytes], boundary: str) -> dict[str, str | LargeUpload]:
    """Return the parts of a body on disk by their names, as `parse_multipart` does; files stay where they are."""
    body.flush()
    try:
        mapped = mmap.mmap(body.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        raise _malformed() from None
    parts: dict[str, str | LargeUpload] = {}
    with mapped:
        for head, start, end in _parts(mapped, b"--" + boundary.encode()):
            name, file_name, _ = _disposition(_headers(head))
            if name in parts or len(parts) == _MOST_PARTS:
                raise _repeated()
            if file_name is None:
                parts[name] = _text(_bounded(mapped, start, end))
            else:
                parts[name] = LargeUpload(file_name, body, start, end)
    return parts


def _bounded(mapped: mmap.mmap, start: int, end: int) -> bytes:
    """Return a part that is text, and no file sent as one."""
    if end - start > _ALLOWANCE:
        raise PayloadTooLarge
    return mapped[start:end]


def parse_multipart(raw: bytes, boundary: str) -> dict[str, str | Upload]:
    """Return the parts by their names, or raise `ParseFailed`, or `ValidationFailed` for a file's name."""
    parts: dict[str, str | Upload] = {}
    for head, start, end in _parts(raw, b"--" + boundary.encode()):
        name, file_name, content_type = _disposition(_headers(head))
        if name in parts or len(parts) == _MOST_PARTS:
            raise _repeated()
        content = raw[start:end]
        parts[name] = _text(content) if file_name is None else Upload(file_name, content_type, content)
    return parts


def _boundary(media_type: str) -> str:
    try:
        boundary = parse_header_parameters(media_type)[1].get("boundary", "")
    except ValueError:
        boundary = ""
    if not _BOUNDARY.fullmatch(boundary):
        raise ParseFailed("The Content-Type names no boundary.")
    return boundary


def _parts(raw: bytes | mmap.mmap, delimiter: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each part's head, and where its content begins and ends; the body is the parts and nothing else."""
    opening = delimiter + _END
    if raw[: len(opening)] != opening:
        raise _malformed()
    position = len(opening)
    while True:
        head_end = raw.find(_END + _END, position, position + _LONGEST_HEAD)
        content_end = raw.find(_END + delimiter, head_end + len(_END))
        if head_end < 0 or content_end < 0:
            raise _malformed()
        yield raw[position:head_end], head_end + len(_END + _END), content_end
        position = content_end + len(_END + delimiter)
        if raw[position : position + 2] == b"--":
            break
        if raw[position : position + 2] != _END:
            raise _malformed()
        position += len(_END)
    if raw[position + 2 : position + 5] not in {b"", _END}:
        raise _malformed()


def _headers(head: bytes) -> dict[str, str]:
    try:
        lines = [line.partition(":") for line in head.decode().split("\r\n")]
    except UnicodeDecodeError:
        raise _malformed() from None
    headers = {name.lower(): value.strip() for name, _, value in lines}
    if len(headers) != len(lines) or any(not colon or name != name.strip() for name, colon, _ in lines):
        raise _malformed()
    return headers


def _disposition(headers: Mapping[str, str]) -> tuple[str, str | None, str]:
    """Return a part's name, the name of its file (None where it is text), and what it says its type is."""
    if headers.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
        raise ParseFailed("Send parts as they are, without a Content-Transfer-Encoding.")
    try:
        disposition, parameters = parse_header_parameters(headers.get("content-disposition", ""))
    except ValueError:
        raise _malformed() from None
    name = parameters.get("name", "")
    if disposition != "form-data" or not name:
        raise _malformed()
    if "filename" not in parameters:
        return name, None, ""
    return name, _safe_name(parameters["filename"], part=name), headers.get("content-type", "")


def _repeated() -> ParseFailed:
    return ParseFailed("The body gives a part twice, or too many parts.")


def _safe_name(name: str, *, part: str) -> str:
    """Return the file's name if it is no path and shows as what it is."""
    name = unicodedata.normalize("NFC", name)
    if not is_safe_file_name(name):
        raise ValidationFailed.of(part[:_LONGEST_NAME], "unsafe_name", UNSAFE_FILE_NAME)
    return name


def _text(content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _malformed() from None
    if "\0" in text:
        raise ParseFailed("The body holds a NUL character.")
    return text


def _malformed() -> ParseFailed:
    return ParseFailed("The body is not multipart/form-data as RFC 7578 has it.")
