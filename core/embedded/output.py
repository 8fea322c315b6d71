"""What the supervisor and its children print: one stream, each line behind the name of who said it."""

import subprocess
import sys
import threading
from contextlib import suppress

_WIDTH = 8
_lock = threading.Lock()


def say(line: str = "") -> None:
    """Print a line; a terminal that has gone away must not keep us from stopping in order."""
    with _lock, suppress(OSError, ValueError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def forward(name: str, child: subprocess.Popen[bytes]) -> None:
    """Print what `child` writes to its pipe until it closes it, in a thread."""
    threading.Thread(target=_pump, args=(name, child), name=f"output of {name}", daemon=True).start()


def _pump(name: str, child: subprocess.Popen[bytes]) -> None:
    if child.stdout is None:
        return
    with child.stdout as pipe:
        for line in pipe:
            text = line.decode(errors="replace").rstrip()
            if text:
                say(f"{name:<{_WIDTH}}| {text}")
