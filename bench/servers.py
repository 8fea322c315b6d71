"""The web servers that are measured: one process each, and what it costs the machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from bench import load

_ROOT = Path(__file__).resolve().parent.parent
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class WebServer:
    """granian with one worker and four threads, serving one application; a context manager."""

    def __init__(self, name: str, application: str, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.port = _free_port()
        self.is_ready = False
        self._log = log.open("wb")
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--workers", "1", "--blocking-threads", "4", "--no-ws"]
        command += ["--log-level", "warning", "--working-dir", str(_ROOT), application]
        self._process = subprocess.Popen(  # noqa: S603  # our own command
            command, cwd=_ROOT, env={**os.environ, **environment}, stdout=self._log, stderr=self._log
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def wait_until_it_answers(self, request: bytes) -> None:
        """Wait until the request is answered with 200; raises `RuntimeError` with the log when it never is."""
        for _ in range(150):
            time.sleep(0.2)
            try:
                outcome = load.run(self.port, [request], seconds=5, connections=1, at_most=1)
            except OSError:
                continue
            if outcome.statuses == {200: 1}:
                self.is_ready = True
                return
        raise RuntimeError(f"{self.name} does not answer: {Path(self._log.name).read_text()[-2000:]}")

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time of the server and its worker."""
        return sum(_cpu_seconds(process) for process in self._processes())

    @property
    def resident_bytes(self) -> int:
        """Return the resident memory of the worker: the largest of the processes."""
        return max(_resident_bytes(process) for process in self._processes())

    def _processes(self) -> list[int]:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [self._process.pid, *map(int, children)]


def database_cpu_seconds(name: str) -> float:
    """Return the processor time of the PostgreSQL processes that serve the database, where they are on this machine."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"postgres:") and f" {name} ".encode() in path.read_bytes():
                total += _cpu_seconds(int(path.parent.name))
        except OSError:
            continue
    return total


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _resident_bytes(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
