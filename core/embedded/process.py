"""A child process that never outlives us: how one is started, watched and stopped."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SUPERVISOR_VARIABLE = "NOOK_SUPERVISOR"
"""The environment variable that tells a process of `manage.py up` which process watches over it."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class EmbeddedServerError(Exception):
    """A process of ours cannot run; the message is one line that says which, why and what would help."""


def make_writable_folder(folder: Path) -> None:
    """Make the folder if it is not there; raise when we may not write in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        usable = False
    if not usable:
        raise EmbeddedServerError(f"cannot write to the data folder {folder}: set NOOK_DATA_DIR to another one.")


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run: a name for people, the command line, and the signal that the kernel sends when we die."""

    name: str
    arguments: Sequence[str | Path]
    death_signal: signal.Signals = signal.SIGKILL
    environment: Mapping[str, str] | None = None
    become: Callable[[], None] | None = None
    """Changes the identity in the child (see `core.embedded.identity`)."""
    inherited: Sequence[int] = ()
    """File descriptors that stay open in the child."""


def start(launch: Launch, *, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a child in its own session. Call it from a thread that lives as long as the child may.

    The kernel ties the death signal to the thread that forked, not to the process.
    """
    parent = os.getpid()

    def prepare() -> None:
        if launch.become is not None:
            launch.become()
        # A change of credentials clears the death signal, so it comes last.
        die_with_parent(launch.death_signal, parent=parent)

    try:
        return subprocess.Popen(  # noqa: S603  # our own command lines
            [str(argument) for argument in launch.arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if launch.environment is None else dict(launch.environment),
            start_new_session=True,
            pass_fds=tuple(launch.inherited),
            preexec_fn=prepare,  # the death signal can be set nowhere else
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedServerError(f"{launch.name} cannot be started: {error}.") from error


def die_with_parent(death_signal: signal.Signals, *, parent: int) -> None:
    """Ask the kernel to send this process `death_signal` when its parent dies (Linux; elsewhere nothing)."""
    if sys.platform != "linux":
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    # In a user namespace the parent keeps its number; 1 (or a reaper) means that it is gone already.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def die_with_supervisor() -> None:
    """Make this grandchild of `manage.py up` (a web or pool process) die with its parent; elsewhere do nothing."""
    supervisor = os.environ.get(SUPERVISOR_VARIABLE)
    if not supervisor:
        return
    die_with_parent(signal.SIGKILL, parent=os.getppid())
    if not is_alive(int(supervisor)):
        os.kill(os.getpid(), signal.SIGKILL)


def is_alive(number: int) -> bool:
    """Return whether a process has this number."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stop(
    process: subprocess.Popen[bytes],
    first: signal.Signals,
    *,
    grace: float,
    is_urgent: Callable[[], bool] = lambda: False,
) -> bool:
    """Send `first`, then KILL to its whole group after `grace` seconds or when it is urgent.

    Returns whether it went by itself.
    """
    deadline = time.monotonic() + grace
    if process.poll() is None:
        process.send_signal(first)
    while process.poll() is None and time.monotonic() < deadline and not is_urgent():
        time.sleep(0.02)
    went_by_itself = process.poll() is not None
    kill_group(process)
    process.wait()
    return went_by_itself


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the session that the process leads."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def wait_until_ready(
    process: subprocess.Popen[bytes], is_ready: Callable[[], bool], *, name: str, log: Path, seconds: float = 30.0
) -> None:
    """Return when `is_ready()` is true; raise with the last line of the log when the process ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if process.poll() is not None:
            raise EmbeddedServerError(f"{name} ended while starting: {_last_line(log)} (log: {log})")
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"{name} was not ready after {seconds:.0f} s (log: {log})")
        time.sleep(0.02)


def open_log(path: Path) -> IO[bytes]:
    """Open a fresh log, keeping the one of the last start beside it as `.1`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("wb")


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
