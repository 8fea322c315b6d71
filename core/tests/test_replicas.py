"""Reads from a real streaming replica, made of a real primary."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import ProgrammingError, connection, connections, transaction
from django.db.utils import ConnectionHandler
from prometheus_client import REGISTRY

from core import cache, replicas
from core.embedded.locations import Locations
from core.embedded.postgres import DATABASE, USER, Postgres
from core.tests.replication import make_replica

pytestmark = pytest.mark.django_db

LONG_ENOUGH = 30_000

Replica = tuple[Postgres, Locations]


@pytest.fixture(scope="module")
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locations]:
    places = Locations(tmp_path_factory.mktemp("primary") / "data")
    server = Postgres(places, durable=False)
    server.start()
    yield places
    server.stop()


@pytest.fixture(scope="module")
def replica(primary: Locations, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    server, places = make_replica(primary, tmp_path_factory.mktemp("replica") / "data")
    yield server, places
    server.stop()


@dataclass
class Pair:
    """The replica's server, and a way to ask it whatever the product would."""

    server: Postgres
    tell_replica: Callable[[str], None]


def entry(places: Locations) -> dict[str, Any]:
    """Return what Django's settings say of the database there."""
    there = {"NAME": DATABASE, "USER": USER, "PASSWORD": "", "HOST": str(places.run_dir), "PORT": ""}
    return {**connections.databases["default"], **there}


@contextmanager
def paired(primary: Locations, replica: Replica, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """Put the primary in place of the test's database, with an empty table, and the replica beside it."""
    server, places = replica
    own = ConnectionHandler({"default": entry(primary), "replica_1": entry(places)})
    usual = connections["default"]
    connections["default"], connections["replica_1"] = own["default"], own["replica_1"]
    settings.DATABASE_REPLICAS = ["replica_1"]
    settings.DATABASE_REPLICA_WAIT_MS = LONG_ENOUGH
    monkeypatch.setattr(replicas, "_left_alone_until", {})
    try:
        execute("SET synchronous_commit = local; DROP TABLE IF EXISTS notes; CREATE TABLE notes (number int)")
        yield Pair(server, lambda statement: own["replica_1"].cursor().execute(statement))
    finally:
        connections["default"] = usual
        del connections["replica_1"]
        own.close_all()


@pytest.fixture
def pair(
    primary: Locations, replica: Replica, settings: Any, monkeypatch: pytest.MonkeyPatch, db: None
) -> Iterator[Pair]:
    with paired(primary, replica, settings, monkeypatch) as both:
        yield both


@pytest.fixture
def fragile_pair(pair: Pair) -> Iterator[Pair]:
    """A pair whose replica may be stopped."""
    yield pair
    pair.server.start()


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def look() -> tuple[bool, int]:
    """Return whether a replica answers, and how many notes it sees."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery(), (SELECT count(*) FROM notes)")
        answer: tuple[bool, int] = cursor.fetchone()
    return answer


def times(outcome: str) -> float:
    labels = {"replica": "replica_1", "outcome": outcome}
    return REGISTRY.get_sample_value("nook_replica_reads_total", labels) or 0


def test_the_replica_answers_and_sees_whatever_was_committed_before(pair: Pair) -> None:
    for number in range(1, 101):
        execute("INSERT INTO notes VALUES (1)")

        assert replicas.read(look) == (True, number)

    assert look() == (False, 100)


def test_a_replica_that_is_behind_is_not_believed(pair: Pair, settings: Any) -> None:
    settings.DATABASE_REPLICA_WAIT_MS = 0
    pair.tell_replica("SELECT pg_wal_replay_pause()")
    execute("INSERT INTO notes VALUES (1)")

    assert replicas.read(look) == (False, 1)

    pair.tell_replica("SELECT pg_wal_replay_resume()")
    settings.DATABASE_REPLICA_WAIT_MS = LONG_ENOUGH
    replicas._left_alone_until.clear()
    assert replicas.read(look) == (True, 1)


def test_a_read_that_wants_to_write_does_it_once_on_the_primary(pair: Pair) -> None:
    def write() -> bool:
        answers_from_replica, _ = look()
        execute("INSERT INTO notes VALUES (1)")
        return answers_from_replica

    assert replicas.read(write) is False
    assert look() == (False, 1)


def test_a_replica_that_is_gone_costs_one_try_and_nobody_an_answer(fragile_pair: Pair) -> None:
    assert replicas.read(look) == (True, 0)
    before = times("gone")
    fragile_pair.server.stop()

    assert [replicas.read(look) for _ in range(3)] == [(False, 0)] * 3
    assert times("gone") - before == 1


def test_a_replica_that_goes_while_it_is_read_is_made_up_for(fragile_pair: Pair) -> None:
    def read_slowly() -> tuple[bool, int]:
        if look()[0]:
            fragile_pair.server.stop()
        return look()

    assert replicas.read(read_slowly) == (False, 0)


def test_a_replica_that_was_promoted_is_no_replica(
    primary: Locations, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    replica = make_replica(primary, tmp_path / "data")
    with paired(primary, replica, settings, monkeypatch) as pair:
        assert replicas.read(look) == (True, 0)
        pair.tell_replica("SET statement_timeout = 0; SELECT pg_promote()")
        execute("INSERT INTO notes VALUES (1)")

        assert replicas.read(look) == (False, 1)
    replica[0].stop()


def test_a_commit_that_does_not_wait_for_the_disk_is_seen_too(pair: Pair) -> None:
    execute("SET synchronous_commit = off")
    execute("INSERT INTO notes VALUES (1)")

    assert replicas.read(look) == (True, 1)


def test_a_fault_of_ours_is_no_reason_to_ask_the_primary(pair: Pair) -> None:
    tries = []

    def fail() -> None:
        tries.append(look()[0])
        execute("SELECT nothing_of_that_name")

    with pytest.raises(ProgrammingError):
        replicas.read(fail)
    assert tries == [True]
    assert look() == (False, 0)


def test_what_is_kept_for_others_is_read_from_the_primary(pair: Pair) -> None:
    def read_both() -> tuple[bool, bool, bool]:
        return look()[0], cache.cached("lists", "replicas", lambda: look()[0]), look()[0]

    cache.forget("lists", "replicas")
    try:
        assert replicas.read(read_both) == (True, False, True)
    finally:
        cache.forget("lists", "replicas")


def test_inside_a_transaction_all_is_the_primary_s(pair: Pair) -> None:
    with transaction.atomic():
        assert replicas.read(look) == (False, 0)


def test_without_replicas_all_is_the_primary_s(pair: Pair, settings: Any) -> None:
    settings.DATABASE_REPLICAS = []

    assert replicas.read(look) == (False, 0)
