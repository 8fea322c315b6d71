"""A real `manage.py up` for tests: started in a terminal of its own, watched from outside."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from core.tests.ports import free_port

SERVER_VARIABLES = {"DATABASE_URL", "REDIS_URL", "BROKER_URL", "CACHE_URL", "STATE_URL", "EMAIL_URL"}


def embedded_environment(folder: Path, **changes: str) -> dict[str, str]:
    """Return the environment of a newcomer, who has nothing but a data folder."""
    inherited = {name: value for name, value in os.environ.items() if name not in SERVER_VARIABLES}
    return {
        **inherited,
        "DJANGO_SETTINGS_MODULE": "config.settings.development",
        "NOOK_DATA_DIR": str(folder),
        "NOOK_WORKERS": "1",
        **changes,
    }


def manage(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of every process that works in `folder`."""
    return [command for _number, command in _processes(folder)]


def process_numbers_of(folder: Path, pattern: str) -> list[int]:
    """Return the numbers of the processes in `folder` whose command line matches."""
    return [number for number, command in _processes(folder) if re.search(pattern, command)]


def _processes(folder: Path) -> list[tuple[int, str]]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if command and str(folder).encode() in environment + command:
            found.append((int(entry.name), command.replace(b"\0", b" ").decode(errors="replace")))
    return found


@dataclass
class Up:
    """One `manage.py up`."""

    folder: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    announced: str = "Ctrl-C"
    """What it says when the test may go on."""
    output: str = ""
    seconds_to_ready: float = 0.0

    def __post_init__(self) -> None:
        started_at = time.monotonic()
        self._terminal, their_end = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(self.port), "--data-dir", str(self.folder)],
            cwd=settings.BASE_DIR,
            env=embedded_environment(self.folder, **self.environment),
            stdin=their_end,
            stdout=their_end,
            stderr=their_end,
            start_new_session=True,
            user=self.user,
            preexec_fn=_own_terminal,
        )
        os.close(their_end)
        self.read_until(self.announced, seconds=240)
        self.seconds_to_ready = time.monotonic() - started_at

    def read_until(self, text: str, *, seconds: float) -> None:
        """Read what it prints until `text` appears in what is new."""
        seen = len(self.output)
        deadline = time.monotonic() + seconds
        while text not in self.output[seen:]:
            assert time.monotonic() < deadline, f"never said {text!r}:\n{self.output}"
            assert self._read_more() or self.process.poll() is None, f"ended without {text!r}:\n{self.output}"

    def _read_more(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], 0.2)
        try:
            chunk = os.read(self._terminal, 65536) if ready else b""
        except OSError:
            return False
        self.output += chunk.decode(errors="replace")
        return bool(chunk)

    def press_ctrl_c(self) -> None:
        """Do what the keyboard does."""
        os.write(self._terminal, b"\x03")

    def wait(self, *, seconds: float = 120) -> int:
        """Return the exit code, reading on so that it never blocks on a full terminal."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"did not end:\n{self.output}"
            self._read_more()
        while self._read_more():
            pass
        os.close(self._terminal)
        return self.process.returncode

    def kill(self) -> None:
        """Kill the supervisor, as the kernel does when memory is out."""
        self.process.send_signal(signal.SIGKILL)
        self.wait()


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def wait_until_gone(folder: Path, *, seconds: float = 60) -> list[str]:
    """Return what still runs in `folder` when nothing does any more, or when the time is up."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
