"""Under which user PostgreSQL runs: it refuses root, and a container or CI job often is root."""

import ctypes
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.embedded.process import EmbeddedServerError

_CLONE_NEWUSER = 0x10000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """How the child changes who it is, and who must own its files (None: whoever we are)."""

    become: Callable[[], None] | None
    owner: tuple[int, int] | None = None

    def give(self, *folders: Path) -> None:
        """Make the identity own `folders`."""
        if self.owner is not None:
            for folder in folders:
                os.chown(folder, *self.owner)


def server_identity() -> Identity:
    """Return ourselves; as root a user namespace in which we are user 1000; where that is closed, `nobody`."""
    if os.geteuid() != 0:
        return Identity(become=None)
    if namespaces_are_open():
        return Identity(become=enter_user_namespace)
    nobody = pwd.getpwnam("nobody")
    return Identity(become=_becoming(nobody.pw_uid, nobody.pw_gid), owner=(nobody.pw_uid, nobody.pw_gid))


def namespaces_are_open() -> bool:
    """Return whether root may make a user namespace here (a container's seccomp profile often forbids it)."""
    if sys.platform != "linux":
        return False
    try:
        subprocess.run(["/bin/true"], preexec_fn=enter_user_namespace, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def enter_user_namespace() -> None:
    """Become user 1000 of a new user namespace; files stay root's, nothing on the host changes."""
    if _libc.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")


def _becoming(uid: int, gid: int) -> Callable[[], None]:
    def become() -> None:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)

    return become


def require_reachable(folder: Path, identity: Identity) -> None:
    """Raise when `nobody` could not walk to `folder`; only that identity has other rights than we have."""
    if identity.owner is None:
        return
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            raise EmbeddedServerError(
                f"PostgreSQL would run as nobody, who cannot enter {parent}: "
                "start as a normal user, set DATABASE_URL, or set NOOK_DATA_DIR to a folder that others may enter."
            )
