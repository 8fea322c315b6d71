"""A machine of its own: a network namespace in which private addresses are ours, and a name server that lies.

`unshare --map-root-user --mount --net python address_stage.py`, run by a test. A listener on every address counts who
comes; the name server gives another answer to every question for the same name. Prints what it saw as JSON.
"""

import json
import os
import socket
import struct
import subprocess
import tempfile
import threading
from ipaddress import ip_address
from pathlib import Path
from typing import Final

# Documentation's own would be refused as well, so a public one is borrowed; nothing leaves the namespace.
PUBLIC: Final = "93.184.216.34"
ANSWERS: Final[dict[str, tuple[str, ...]]] = {
    "127.0.0.1.nip.example": ("127.0.0.1",),
    "localtest.example": ("127.0.0.1",),
    "metadata.example": ("169.254.169.254",),
    "six.example": ("::1",),
    "both.example": (PUBLIC, "10.1.2.3"),
}
REBINDING: Final = "rebinding.example"


class NameServer(threading.Thread):
    """Answers A and AAAA on port 53; `REBINDING` is public at its first question and private at each later one."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.53", 53))

    def run(self) -> None:
        while True:
            question, sender = self._socket.recvfrom(2048)
            self._socket.sendto(self._answer(question), sender)

    def _answer(self, query: bytes) -> bytes:
        name, end = _name_in(query)
        kind = struct.unpack(">H", query[end : end + 2])[0]
        records = [_record(text) for text in self._addresses(name, kind)]
        header = query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, len(records), 0, 0)
        return header + query[12 : end + 4] + b"".join(records)

    def _addresses(self, name: str, kind: int) -> list[str]:
        found = list(ANSWERS.get(name, ()))
        if name == REBINDING and kind == 1:
            found = [PUBLIC if REBINDING not in self.asked else "127.0.0.1"]
            self.asked.append(name)
        return [text for text in found if ip_address(text).version == (4 if kind == 1 else 6) and kind in (1, 28)]


def _name_in(query: bytes) -> tuple[str, int]:
    labels, place = [], 12
    while length := query[place]:
        labels.append(query[place + 1 : place + 1 + length].decode())
        place += length + 1
    return ".".join(labels).lower(), place + 1


def _record(text: str) -> bytes:
    packed = ip_address(text).packed
    return b"\xc0\x0c" + struct.pack(">HHIH", 1 if len(packed) == 4 else 28, 1, 0, len(packed)) + packed


class Listener(threading.Thread):
    """Listens on every address, and writes down which of ours each connection came to."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.reached: list[str] = []
        self._server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
        self.port = int(self._server.getsockname()[1])

    def run(self) -> None:
        while True:
            connection, _ = self._server.accept()
            self.reached.append(connection.getsockname()[0].removeprefix("::ffff:"))
            self._redirect(connection)

    def _redirect(self, connection: socket.socket) -> None:
        asked = b""
        while not asked.endswith(b"{}") and (more := connection.recv(65536)):
            asked += more
        target = b"http://127.0.0.1:%d/" % self.port
        connection.sendall(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + target + b"\r\n\r\n")
        connection.close()


def _prepare(addresses: tuple[str, ...]) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for text in addresses:
        bits = 32 if ip_address(text).version == 4 else 128
        # Some (loopback, the unspecified) are there or cannot be had.
        subprocess.run(["ip", "address", "add", f"{text}/{bits}", "dev", "lo"], check=False, capture_output=True)
    for path, content in {
        "/etc/resolv.conf": "nameserver 127.0.0.53\noptions timeout:1 attempts:1\n",
        "/etc/nsswitch.conf": "hosts: files dns\n",
    }.items():
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(content)
        Path(file.name).chmod(0o644)
        subprocess.run(["mount", "--bind", file.name, path], check=True)


def main() -> None:
    """Knock at every address, and print who was reached."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    import django

    django.setup()
    from core.http_client import RequestFailed, request
    from notifications.tests.addresses import PRIVATE_V4, PRIVATE_V6, urls

    _prepare((*PRIVATE_V4, *PRIVATE_V6, PUBLIC))
    names, listener = NameServer(), Listener()
    names.start()
    listener.start()
    refused = 0
    tried = urls(listener.port)
    for url in tried:
        try:
            request("POST", url, data=b"{}", timeout=3, allowed_hosts=())
        except RequestFailed:
            refused += 1
    at_private = list(listener.reached)
    listener.reached.clear()
    statuses = []
    for _ in range(2):
        try:
            found = request("POST", f"http://{REBINDING}:{listener.port}/", data=b"{}", timeout=3, allowed_hosts=())
            statuses.append(str(found.status))
        except RequestFailed as refusal:
            statuses.append(type(refusal).__name__)
    told = {
        "tried": len(tried),
        "refused": refused,
        "reached": at_private,
        "rebinding": {"statuses": statuses, "asked": len(names.asked), "reached": listener.reached},
    }
    print(json.dumps(told))  # noqa: T201  # this is what the test reads


if __name__ == "__main__":
    main()
