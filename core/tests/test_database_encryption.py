"""What the doctor says of the way to the database."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connections
from django.db.utils import ConnectionHandler

from core.doctor.database import encryption, of_the_way
from core.embedded import process
from core.embedded.binaries import postgres_folder
from core.embedded.identity import server_identity
from core.embedded.locations import Locations
from core.embedded.postgres import DATABASE, USER, Postgres
from core.embedded.process import Launch

pytestmark = [pytest.mark.timeout(120), pytest.mark.django_db]

FAR = "127.0.0.2"
"""An address of this machine that does not look like one."""


@pytest.fixture
def far_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a PostgreSQL at `FAR`, which speaks no TLS."""
    places = Locations(tmp_path_factory.mktemp("far") / "data")
    first = Postgres(places, durable=False)
    first.start()
    first.stop()
    with socket.create_server((FAR, 0)) as free:
        port: int = free.getsockname()[1]
    settings = {"listen_addresses": FAR, "port": port, "unix_socket_directories": places.run_dir}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    program: list[str | Path] = [postgres_folder() / "postgres", "-D", places.postgres_dir, *options]
    log = places.log_dir / "far.log"
    with process.open_log(log) as output:
        running = process.start(Launch("far", program, become=server_identity().become), output=output)
    process.wait_until_ready(running, lambda: answers(port), name="PostgreSQL", log=log)
    yield port
    process.stop(running, signal.SIGINT, grace=15, is_urgent=lambda: False)


def answers(port: int) -> bool:
    try:
        psycopg.connect(host=FAR, port=port, dbname=DATABASE, user=USER).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_server_elsewhere_that_is_spoken_to_in_the_clear_is_told(far_port: int) -> None:
    usual = connections["default"]
    place = {"HOST": FAR, "PORT": str(far_port), "NAME": DATABASE, "USER": USER, "PASSWORD": "", "OPTIONS": {}}
    own = ConnectionHandler({"default": {**connections.databases["default"], **place}})
    connections["default"] = own["default"]
    try:
        finding = encryption()
    finally:
        connections["default"] = usual
        own.close_all()

    assert (finding.level, finding.found) == ("yellow", "the connection is in the clear")
    assert "sslmode=verify-full" in finding.advice


@pytest.mark.parametrize(
    ("mode", "level", "found"),
    [
        ("prefer", "yellow", "nobody checks whose server answers (sslmode=prefer)"),
        ("verify-ca", "yellow", "nobody checks whose server answers (sslmode=verify-ca)"),
        ("verify-full", "green", "the server proves who it is"),
    ],
)
def test_an_encrypted_way_is_well_where_the_server_proves_who_it_is(mode: str, level: str, found: str) -> None:
    finding = of_the_way(is_encrypted=True, mode=mode)

    assert (finding.level, finding.found) == (level, found)


def test_a_server_of_this_machine_needs_no_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", "/var/run/postgresql")

    assert encryption().found == "not needed: the server is on this machine"
