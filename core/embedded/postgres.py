"""The embedded PostgreSQL: one cluster in the data folder, one unix socket, a direct child of ours."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg

from core import memory
from core.embedded import process
from core.embedded.binaries import postgres_folder, postgres_version
from core.embedded.identity import require_reachable, server_identity
from core.embedded.locations import Locations
from core.embedded.process import EmbeddedServerError, Launch

USER = "nook"
DATABASE = "nook"
_SHARED_BUFFERS_MB = (128, 2048)
"""At least what PostgreSQL itself takes, at most what a database that has no machine of its own should."""

_FOR_TESTS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # 64 callers at once in each of several test processes, and the servers that they start.
    "max_connections": "400",
}
"""What is not durable is a server of tests: unsafe but fast."""


class Postgres:
    """The PostgreSQL server of one data folder."""

    name = "postgres"

    def __init__(self, locations: Locations, *, durable: bool = True, inherited: tuple[int, ...] = ()) -> None:
        self._locations = locations
        self._durable = durable
        self._inherited = inherited
        self._programs = postgres_folder()
        self._identity = server_identity()
        self._log = locations.log_dir / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster if there is none, start the server, wait for it, make the database."""
        self._prepare_folders()
        if not (self._locations.postgres_dir / "PG_VERSION").exists():
            self._make_cluster()
        self._require_same_version()
        with process.open_log(self._log) as log:
            self.process = process.start(self._launch(), output=log)
        process.wait_until_ready(self.process, self._is_ready, name="PostgreSQL", log=self._log)
        self._make_database()

    def stop(self, is_urgent: Callable[[], bool] = lambda: False) -> bool:
        """Stop fast: open transactions are rolled back, nothing that was committed is lost."""
        return self.process is None or process.stop(self.process, signal.SIGINT, grace=15, is_urgent=is_urgent)

    def _prepare_folders(self) -> None:
        self._locations.make_folders()
        self._locations.postgres_dir.mkdir(mode=0o700, exist_ok=True)
        require_reachable(self._locations.postgres_dir, self._identity)
        require_reachable(self._programs / "postgres", self._identity)
        self._identity.give(self._locations.postgres_dir, self._locations.run_dir)

    def _make_cluster(self) -> None:
        arguments: list[str | Path] = [
            "-D",
            self._locations.postgres_dir,
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        launch = Launch("initdb", [self._programs / "initdb", *arguments], become=self._identity.become)
        log_path = self._locations.log_dir / "initdb.log"
        with process.open_log(log_path) as log:
            made = process.start(launch, output=log).wait(120)
        if made != 0:
            raise EmbeddedServerError(f"PostgreSQL's initdb failed with exit code {made} (log: {log_path})")

    def _require_same_version(self) -> None:
        cluster = int((self._locations.postgres_dir / "PG_VERSION").read_text(encoding="ascii"))
        server = postgres_version(self._programs)
        if cluster != server:
            raise EmbeddedServerError(
                f"{self._locations.postgres_dir} was made by PostgreSQL {cluster}, but the server here is {server}: "
                "move the data with pg_dump and pg_restore, or set DATABASE_URL."
            )

    def _launch(self) -> Launch:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._locations.run_dir.resolve()),
            "unix_socket_permissions": "0700",
            "log_checkpoints": "off",
            "shared_buffers": f"{shared_buffers()}MB",
            **({} if self._durable else _FOR_TESTS),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Launch(
            self.name,
            [self._programs / "postgres", "-D", self._locations.postgres_dir.resolve(), *options],
            death_signal=signal.SIGINT,
            environment={**os.environ, "LC_ALL": "C.UTF-8"},
            become=self._identity.become,
            inherited=self._inherited,
        )

    def _is_ready(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        with self._connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._locations.run_dir), user=USER, dbname="postgres", connect_timeout=2, autocommit=True
        )


def shared_buffers() -> int:
    """Return PostgreSQL's own memory in MiB: a quarter of what there is, as its manual advises, within bounds."""
    total, _ = memory.limit_and_used()
    least, most = _SHARED_BUFFERS_MB
    return min(max(total // 4 // 2**20, least), most)
