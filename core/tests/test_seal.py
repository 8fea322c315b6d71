import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings, strategies

from core import events, seal
from core.models import Event, EventSeal
from core.permissions import SYSTEM
from core.tests.spine import wipe_log


def publish(count: int = 1) -> None:
    for number in range(count):
        with transaction.atomic():
            events.publish("sealed.thing", subject=None, actor=SYSTEM, data={"number": number})


def seal_events(count: int) -> None:
    """Seal until `count` events are; a transaction in any database of the server may hold the seal up."""
    deadline = time.monotonic() + 300
    while EventSeal.objects.count() < count:
        seal.seal_all()
        assert time.monotonic() < deadline, "a transaction elsewhere holds up the seal"


@contextmanager
def unguarded() -> Iterator[None]:
    """Be the superuser whom no trigger stops."""
    execute("SET session_replication_role = replica")
    try:
        yield
    finally:
        execute("RESET session_replication_role")


def execute(statement: str, *values: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_what_is_committed_is_sealed_in_order(transactional_db: None) -> None:
    publish(3)

    seal_events(3)

    assert list(EventSeal.objects.order_by("position").values_list("position", "event_seq")) == [(1, 1), (2, 2), (3, 3)]
    assert seal.seal_all() == 0
    report = seal.verify(expected=seal.head())
    assert (report.checked, report.unsealed, report.faults) == (3, 0, ())


def test_a_row_that_commits_late_is_sealed_late_but_never_skipped(transactional_db: None) -> None:
    late = connection.copy()
    try:
        late.set_autocommit(False)
        with late.cursor() as cursor:
            cursor.execute("INSERT INTO events (type) VALUES ('late.thing')")
        publish(2)

        assert seal.seal_all() == 0
        assert not Event.objects.settled().exists()
        assert seal.verify().unsealed == 2

        late.commit()
        seal_events(3)
        assert EventSeal.objects.get(position=1).event_seq == 1
        assert Event.objects.settled().count() == 3
        assert seal.verify().faults == ()
    finally:
        late.close()


def test_a_log_that_was_restored_into_a_new_cluster_goes_on(transactional_db: None) -> None:
    publish(1)
    seal_events(1)
    publish(1)
    with unguarded():
        execute("UPDATE events SET xid = (xid::text::bigint + 1000000)::text::xid8")
        execute("UPDATE event_seals SET xid = (xid::text::bigint + 1000000)::text::xid8")

    publish(2)
    assert Event.objects.settled().filter(seq__lte=2).count() == 2
    seal_events(4)
    publish(1)
    seal_events(5)

    report = seal.verify(expected=seal.head())
    assert (report.checked, report.unsealed, report.faults) == (5, 0, ())


@pytest.mark.parametrize("table", ["events", "event_seals"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET occurred_at = now()", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_log_refuses_every_change(transactional_db: None, table: str, statement: str) -> None:
    publish(1)
    seal_events(1)
    before = list(Event.objects.values()), list(EventSeal.objects.values())

    with pytest.raises(DatabaseError, match=r"is append-only: (UPDATE|DELETE|TRUNCATE) is refused"):
        execute(statement.format(table))

    assert (list(Event.objects.values()), list(EventSeal.objects.values())) == before


@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = NULL", "DELETE FROM {}", "TRUNCATE {}"])
def test_a_partition_refuses_it_too(transactional_db: None, statement: str) -> None:
    publish(1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM events")
        partition = cursor.fetchone()[0]

    with pytest.raises(DatabaseError, match=r"is append-only: (UPDATE|DELETE|TRUNCATE) is refused"):
        execute(statement.format(partition))

    assert Event.objects.count() == 1


TAMPERINGS = {
    "payload": """UPDATE events SET payload = '{"number": -1}' WHERE seq = %(at)s""",
    "type": "UPDATE events SET type = 'other.thing' WHERE seq = %(at)s",
    "actor": "UPDATE events SET actor = gen_random_uuid() WHERE seq = %(at)s",
    "subject": "UPDATE events SET subject_id = 'other' WHERE seq = %(at)s",
    "address": "UPDATE events SET ip = '192.0.2.1' WHERE seq = %(at)s",
    "time": "UPDATE events SET occurred_at = occurred_at + interval '1 microsecond' WHERE seq = %(at)s",
    "number": "UPDATE events SET seq = 1000 WHERE seq = %(at)s",
    "removed event": "DELETE FROM events WHERE seq = %(at)s",
    "removed seal": "DELETE FROM event_seals WHERE position = %(at)s",
    "removed both": "DELETE FROM events WHERE seq = %(at)s; DELETE FROM event_seals WHERE position = %(at)s",
    "cut tail": "DELETE FROM events WHERE seq >= %(at)s; DELETE FROM event_seals WHERE position >= %(at)s",
    "put in": "INSERT INTO events (type, xid) SELECT 'put.in', xid FROM events WHERE seq = %(at)s - 1",
    "changed seal": "UPDATE event_seals SET row_hash = sha256('x') WHERE position = %(at)s",
    "changed link": "UPDATE event_seals SET hash = sha256('x') WHERE position = %(at)s",
    "aged seal": "UPDATE event_seals SET occurred_at = occurred_at - interval '9 years' WHERE position = %(at)s",
}


@given(tampering=strategies.sampled_from(sorted(TAMPERINGS)), count=strategies.integers(3, 12), data=strategies.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tampering_is_found(
    transactional_db: None, tampering: str, count: int, data: strategies.DataObject
) -> None:
    wipe_log()
    publish(count)
    seal_events(count)
    head = seal.head()
    at = data.draw(strategies.integers(2, count))

    with unguarded(), connection.cursor() as cursor:
        cursor.execute(TAMPERINGS[tampering] % {"at": at})

    assert seal.verify(expected=head).faults != ()


def test_history_that_was_rewritten_with_its_seals_is_found_by_an_exported_head(transactional_db: None) -> None:
    publish(3)
    seal_events(3)
    head = seal.head()

    with unguarded():
        execute("UPDATE events SET type = 'other.thing' WHERE seq = 2")
        execute("DELETE FROM event_seals")
    seal_events(3)

    assert seal.verify().faults == ()
    assert seal.verify(expected=head).faults == (
        "position 3 is not the one that the given head names: history was rewritten",
    )


def test_the_command_says_whether_the_log_is_whole(transactional_db: None) -> None:
    publish(2)
    seal_events(2)
    head = seal.head()
    printed, complaints = StringIO(), StringIO()

    call_command("audit_verify", head=str(head), stdout=printed)

    assert printed.getvalue() == (
        f"The event log is whole: 2 events sealed, 0 archived, 0 redacted, 0 not sealed yet; head {head}.\n"
    )

    with unguarded():
        execute("DELETE FROM events WHERE seq = 1")
    with pytest.raises(CommandError, match="The event log is NOT whole: 1 faults"):
        call_command("audit_verify", stderr=complaints)
    assert complaints.getvalue() == "event 1 was removed (position 1)\n"

    with pytest.raises(CommandError, match="A head is written HASH@POSITION"):
        call_command("audit_verify", head="nonsense")


def test_more_than_one_batch_is_sealed_at_once(transactional_db: None) -> None:
    execute("INSERT INTO events (type) SELECT 'bulk.thing' FROM generate_series(1, %s)", 2 * seal.BATCH + 1)

    seal_events(2 * seal.BATCH + 1)

    assert seal.verify().faults == ()
