"""The embedded Valkey: cache, rate limits and the broker of the one-command server, on a unix socket."""

import os
import signal
import subprocess
from collections.abc import Callable

import redis

from core.embedded import process
from core.embedded.binaries import valkey_program
from core.embedded.locations import Locations
from core.embedded.process import Launch


class Valkey:
    """The Valkey server of one data folder."""

    name = "valkey"

    def __init__(self, locations: Locations, *, durable: bool = True, inherited: tuple[int, ...] = ()) -> None:
        self._locations = locations
        self._durable = durable
        self._inherited = inherited
        self._program = valkey_program()
        self._log = locations.log_dir / "valkey.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._locations.make_folders()
        self._locations.valkey_dir.mkdir(mode=0o700, exist_ok=True)
        # A killed server leaves its socket; a client must not take it for the new one.
        self._locations.valkey_socket.unlink(missing_ok=True)
        with process.open_log(self._log) as log:
            self.process = process.start(self._launch(), output=log)
        process.wait_until_ready(self.process, self._is_ready, name="Valkey", log=self._log)

    def stop(self, is_urgent: Callable[[], bool] = lambda: False) -> bool:
        """Stop after writing what is queued to disk."""
        return self.process is None or process.stop(self.process, signal.SIGTERM, grace=15, is_urgent=is_urgent)

    def _launch(self) -> Launch:
        options = {
            "port": "0",
            "unixsocket": str(self._locations.valkey_socket),
            "unixsocketperm": "700",
            "dir": str(self._locations.valkey_dir.resolve()),
            "appendonly": "yes" if self._durable else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return Launch(
            self.name,
            [self._program, *arguments],
            death_signal=signal.SIGTERM,
            environment=dict(os.environ),
            inherited=self._inherited,
        )

    def _is_ready(self) -> bool:
        client = redis.Redis(unix_socket_path=str(self._locations.valkey_socket), socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
