"""A streaming replica of an embedded PostgreSQL, for tests."""

from pathlib import Path

from core.embedded import process
from core.embedded.binaries import postgres_folder
from core.embedded.identity import server_identity
from core.embedded.locations import Locations
from core.embedded.postgres import USER, Postgres
from core.embedded.process import Launch


def make_replica(primary: Locations, folder: Path) -> tuple[Postgres, Locations]:
    """Copy the running primary into `folder` and start a server there that follows it."""
    places, identity = Locations(folder), server_identity()
    places.make_folders()
    places.postgres_dir.mkdir(mode=0o700)
    identity.give(places.postgres_dir, places.run_dir)
    arguments = [f"--host={primary.run_dir}", f"--username={USER}", f"--pgdata={places.postgres_dir}"]
    options = ["--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync"]
    copy = Launch("copy", [postgres_folder() / "pg_basebackup", *arguments, *options], become=identity.become)
    log = places.log_dir / "copy.log"
    with process.open_log(log) as output:
        assert process.start(copy, output=output).wait(60) == 0, log.read_text()
    server = Postgres(places, durable=False)  # as much room as its primary has, or it does not start
    server.start()
    return server, places
