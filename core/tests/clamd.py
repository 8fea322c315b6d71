"""The pytest plugin of the virus scanner: a server of clamd's protocol, which finds the EICAR text."""

import socketserver
import struct
import threading
from collections.abc import Iterator
from typing import Final

import pytest
from pytest_django import Settings

EICAR: Final = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""What every scanner takes for a virus; in two parts, so that none takes this file for one."""


class _Handler(socketserver.StreamRequestHandler):
    server: "Clamd"

    def handle(self) -> None:
        command = self._until_zero()
        if command == b"zPING":
            self.wfile.write(b"PONG\0")
        elif command == b"zINSTREAM":
            self._scan()
        else:
            self.wfile.write(b"UNKNOWN COMMAND\0")

    def _scan(self) -> None:
        if self.server.hangs:
            self.server.released.wait(20)
            return
        content = b""
        while length := struct.unpack("!I", self.rfile.read(4))[0]:
            content += self.rfile.read(length)
            if len(content) > self.server.most_bytes:
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.server.scanned.append(content)
        self.wfile.write(self.server.answer or (b"stream: Eicar-Signature FOUND\0" if EICAR in content else _CLEAN))

    def _until_zero(self) -> bytes:
        command = b""
        while not command.endswith(b"\0") and (byte := self.rfile.read(1)):
            command += byte
        return command.rstrip(b"\0")


_CLEAN: Final = b"stream: OK\0"


class Clamd(socketserver.ThreadingTCPServer):
    """A scanner; `hangs`, `most_bytes` and `answer` make it behave as badly as real ones do."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scanned: list[bytes] = []
        self.hangs = False
        self.released = threading.Event()
        self.most_bytes = 25 * 1024 * 1024
        self.answer = b""

    @property
    def place(self) -> dict[str, object]:
        """Return what `CLAMD_URL` would say."""
        host, port = self.server_address[:2]
        return {"host": host, "port": port}


@pytest.fixture
def clamd(settings: Settings) -> Iterator[Clamd]:
    """A scanner that is asked about every content."""
    with Clamd() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        settings.CLAMD = server.place
        settings.CLAMD_TIMEOUT_SECONDS = 30
        yield server
        server.released.set()
        server.shutdown()
        thread.join()
