"""Where the embedded servers of one data folder are: folders, sockets and the URLs that lead to them."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SOCKET_PATH_LIMIT = 107 - len("/.s.PGSQL.5432.lock")


@dataclass(frozen=True, slots=True)
class Locations:
    """The paths and URLs that belong to one data folder."""

    data_dir: Path

    @property
    def run_dir(self) -> Path:
        """Return the 0700 folder of the sockets; a short one elsewhere where the path would be too long."""
        near = self.data_dir.resolve() / "run"
        if len(str(near)) <= _SOCKET_PATH_LIMIT:
            return near
        digest = hashlib.sha256(str(near).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"nook-{digest}"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "log"

    @property
    def postgres_dir(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def valkey_dir(self) -> Path:
        return self.data_dir / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.run_dir / "valkey.sock"

    @property
    def database_url(self) -> str:
        return f"postgres://nook@/nook?host={self.run_dir}"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.valkey_socket}"

    def make_folders(self) -> None:
        """Make the folders that every embedded server shares."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.log_dir.mkdir(exist_ok=True)
        self.run_dir.mkdir(mode=0o700, exist_ok=True)
