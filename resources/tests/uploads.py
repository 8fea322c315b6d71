"""Uploads for tests, as a browser sends them."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import urllib3
from django.test import Client

from accounts.models import User

ClientOf = Callable[[User], Client]
PATH = "/api/v1/files"
TYPE = "multipart/form-data; boundary=b"


def body(content: bytes, name: str = "note.txt", content_type: str = "") -> bytes:
    """Return a body with the file as its one part."""
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    head += f"\r\nContent-Type: {content_type}" if content_type else ""
    return b"--b\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n--b--\r\n"


def upload(client: Client, content: bytes = b"A note.\n", name: str = "note.txt", **extra: Any) -> Any:
    """Return the answer to an upload."""
    content_type = extra.pop("content_type", "")
    return client.generic("POST", extra.pop("path", PATH), body(content, name, content_type), TYPE, **extra)


def uploaded(client: Client, content: bytes = b"A note.\n", name: str = "note.txt") -> dict[str, Any]:
    """Upload a file and return its data."""
    answer = upload(client, content, name)
    assert answer.status_code == 201, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def post(client: Client, path: str, data: dict[str, Any] | None = None, **extra: Any) -> Any:
    """Return the answer to a POST of JSON."""
    return client.post(f"/api/v1{path}", data or {}, "application/json", **extra)


def announce(client: Client, content: bytes, **said: Any) -> Any:
    """Return the answer to the announcement of this content."""
    told = {"filename": "note.txt", "content_type": "text/plain", "size": len(content), **said}
    return post(client, "/files/presign", told)


def announced(client: Client, content: bytes, **said: Any) -> dict[str, Any]:
    """Announce the content, and return how it is to be sent."""
    answer = announce(client, content, **said)
    assert answer.status_code == 201, answer.content
    way: dict[str, Any] = answer.json()["data"]
    return way


def send(way: dict[str, Any], content: bytes) -> int:
    """Send the content there, without a token, to our own address or to S3; return the status."""
    if way["url"].startswith("https://nook.example"):
        path = way["url"].removeprefix("https://nook.example")
        return Client().generic(way["method"], path, content, way["headers"]["Content-Type"]).status_code
    return urllib3.request(way["method"], way["url"], body=content, headers=way["headers"], retries=False).status


def archive() -> bytes:
    """Return a small ZIP."""
    file = BytesIO()
    with ZipFile(file, "w") as made:
        made.writestr("a.txt", "a")
    return file.getvalue()


def large_png_header(width: int, height: int) -> bytes:
    """Return the beginning of a PNG that says that it is so large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + b"IHDR" + header + bytes(4)
