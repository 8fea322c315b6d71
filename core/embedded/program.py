"""One program of `manage.py up`: how it is started, when it is ready, how it goes."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.embedded import process
from core.embedded.output import forward
from core.embedded.process import SUPERVISOR_VARIABLE, Launch


class Service(Protocol):
    """Anything that the supervisor starts, watches and stops."""

    @property
    def name(self) -> str: ...

    @property
    def process(self) -> subprocess.Popen[bytes] | None: ...

    def start(self) -> None: ...

    def stop(self, is_urgent: Callable[[], bool] = ...) -> bool: ...


@dataclass(slots=True)
class Program:
    """A Python process of the product; what it prints appears behind its name."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    address: tuple[str, int] | None = None
    """Where it listens, if it does."""
    grace: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    has_answered: bool = False

    def start(self) -> None:
        """Start the process; it may not be ready yet."""
        environment = {
            **os.environ,
            "SERVICE_NAME": f"nook-{self.name}",
            **self.environment,
            SUPERVISOR_VARIABLE: str(os.getpid()),
            "PYTHONUNBUFFERED": "1",
        }
        self.has_answered = False
        self.process = process.start(Launch(self.name, self.arguments, environment=environment), output=subprocess.PIPE)
        forward(self.name, self.process)

    def stop(self, is_urgent: Callable[[], bool] = lambda: False) -> bool:
        """Ask it to finish what it is doing and go; return whether it did."""
        if self.process is None:
            return True
        # granian hangs on a TERM that comes while it starts; nobody is being answered then, so nothing is lost.
        first = signal.SIGKILL if self._is_starting() else signal.SIGTERM
        return process.stop(self.process, first, grace=self.grace, is_urgent=is_urgent)

    def is_ready(self) -> bool:
        """Return whether it answers that it is ready."""
        if self.address is None:
            return True
        status = status_of(self.address, "/health/ready")
        self.has_answered = self.has_answered or status is not None
        return status == 200

    def _is_starting(self) -> bool:
        if self.address is None or self.process is None or self.process.poll() is not None:
            return False
        if not self.has_answered:
            self.is_ready()
        return not self.has_answered


def status_of(address: tuple[str, int], path: str) -> int | None:
    """Return the status that an HTTP server at `address` answers `path` with; None when there is no answer."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(address, timeout=2) as connection:
            connection.sendall(request.encode("ascii"))
            answer = connection.recv(64).split()
    except OSError:
        return None
    return int(answer[1]) if len(answer) > 1 and answer[1].isdigit() else None
