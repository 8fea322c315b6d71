"""A person is taken out of the log, and the log goes on proving that nothing else was."""

from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings, strategies

from core import context, events, seal
from core.context import WorkContext
from core.models import Event
from core.permissions import SYSTEM, Caller
from core.redaction import redact_person
from core.tests.spine import wipe_log
from core.tests.test_seal import execute, seal_events, unguarded

NINA = UUID("01930000-0000-7000-8000-000000000001")
OTTO = UUID("01930000-0000-7000-8000-000000000002")
PLACE = WorkContext(request_id="r-1", ip="192.0.2.7", user_agent="Canary/1.0")


def happen(type_: str, *, actor: UUID | None, subject: UUID, **payload: str) -> None:
    with transaction.atomic(), context.working(PLACE):
        events.publish(type_, subject=get_user_model()(pk=subject), actor=Caller(actor), data=payload)


@pytest.fixture
def story(transactional_db: None) -> None:
    """Five sealed events: Nina by herself, Otto on Nina, Nina on Otto, somebody unknown on Nina, Otto by himself."""
    tell_story()


def tell_story() -> None:
    happen("user.updated", actor=NINA, subject=NINA, name="Nina")
    happen("user.updated", actor=OTTO, subject=NINA, name="Nina II")
    happen("user.updated", actor=NINA, subject=OTTO, name="Otto")
    happen("user.password_reset_requested", actor=None, subject=NINA, note="x")
    happen("user.updated", actor=OTTO, subject=OTTO, name="Otto II")
    seal_events(5)


def redact(who: UUID = NINA) -> int:
    return redact_person(user_id=who, subjects=(), addresses=(), actor=SYSTEM)


def stories() -> list[tuple[object, ...]]:
    rows = Event.objects.filter(seq__lte=5).order_by("seq")
    return list(rows.values_list("payload", "ip", "user_agent"))


GONE = {"redacted": True}
HERE = ("192.0.2.7", "Canary/1.0")
NOWHERE = (None, "")


def test_a_person_goes_from_the_log_and_nobody_else_does(story: None) -> None:
    assert redact() == 4

    assert stories() == [
        (GONE, *NOWHERE),
        (GONE, *HERE),
        ({"name": "Otto"}, *NOWHERE),
        (GONE, *NOWHERE),
        ({"name": "Otto II"}, *HERE),
    ]
    evidence = Event.objects.get(type="audit.redacted")
    assert evidence.payload["events"] == 4
    report = seal.verify(expected=seal.head())
    assert (report.redacted, report.unsealed, report.faults) == (4, 1, ())
    seal_events(6)
    assert seal.verify().faults == ()


def test_the_salts_go_with_what_they_salted(story: None) -> None:
    redact()

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payload_salt IS NULL, origin_salt IS NULL FROM events WHERE seq <= 5 ORDER BY seq",
        )
        assert cursor.fetchall() == [(True, True), (True, False), (False, True), (True, True), (False, False)]


def test_a_row_that_two_people_share_loses_one_after_the_other(story: None) -> None:
    redact(NINA)
    redact(OTTO)

    assert stories() == [(GONE, *NOWHERE)] * 5
    report = seal.verify()
    assert (report.redacted, report.faults) == (5, ())


def test_redacting_again_changes_nothing(story: None) -> None:
    redact()
    before = list(Event.objects.values())

    assert redact() == 0

    assert list(Event.objects.values()) == before


def test_what_is_not_sealed_yet_is_redacted_too(transactional_db: None) -> None:
    happen("user.updated", actor=NINA, subject=NINA, name="Nina")

    redact()
    seal_events(2)

    assert stories()[0] == (GONE, *NOWHERE)
    assert seal.verify().faults == ()


def test_nothing_is_redacted_when_the_transaction_fails(story: None) -> None:
    before = stories()

    with transaction.atomic():
        redact()
        transaction.set_rollback(True)

    assert stories() == before
    assert seal.verify().redacted == 0


def test_failed_work_that_named_the_address_is_redacted(transactional_db: None) -> None:
    with transaction.atomic():
        events.publish("dead_letter.discarded", subject=None, actor=SYSTEM, data={"kwargs": {"email": "n@example.com"}})
        events.publish("dead_letter.discarded", subject=None, actor=SYSTEM, data={"kwargs": {"email": "o@example.com"}})

    redact_person(user_id=NINA, subjects=(), addresses=["n@example.com"], actor=SYSTEM)

    assert stories()[0][0] == GONE
    assert stories()[1][0] == {"kwargs": {"email": "o@example.com"}}


def test_rows_of_the_release_before_are_redacted_whole_and_still_proven(transactional_db: None) -> None:
    happen("user.updated", actor=OTTO, subject=NINA, name="Nina")
    happen("user.updated", actor=OTTO, subject=OTTO, name="Otto")
    with unguarded():
        execute("UPDATE events SET payload_salt = NULL, origin_salt = NULL")
    seal_as_before()
    assert seal.verify().faults == ()

    redact()

    assert stories()[:2] == [(GONE, *NOWHERE), ({"name": "Otto"}, *HERE)]
    report = seal.verify()
    assert (report.redacted, report.faults) == (1, ())


def seal_as_before() -> None:
    """Seal in form 1, as the release before redactions did."""
    form, row = seal.FORM, seal._UNSEALED
    seal.FORM, seal._UNSEALED = 1, row.replace(seal.ROW, seal._ROW_IN_FORM_1)  # type: ignore[misc]  # another release
    try:
        seal_events(2)
    finally:
        seal.FORM, seal._UNSEALED = form, row  # type: ignore[misc]  # as above


@pytest.mark.parametrize(
    "change",
    [
        "payload = '{}'",
        """payload = '{"redacted": true}'""",
        """payload = '{"redacted": true}', payload_salt = NULL""",
        "ip = NULL, user_agent = '', origin_salt = NULL",
        "actor = NULL",
        "payload = payload",
    ],
)
def test_the_log_refuses_a_change_that_was_not_recorded(story: None, change: str) -> None:
    redact()
    before = stories()

    with pytest.raises(DatabaseError, match="is append-only: UPDATE is refused"):
        execute(f"UPDATE events SET {change} WHERE seq = 5")  # noqa: S608  # a constant of this test

    assert stories() == before


@pytest.mark.parametrize("statement", ["UPDATE {} SET redacted_at = now()", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_record_of_redactions_refuses_every_change(story: None, statement: str) -> None:
    redact()

    with pytest.raises(DatabaseError, match=r"is append-only: (UPDATE|DELETE|TRUNCATE) is refused"):
        execute(statement.format("event_redactions"))


TAMPERINGS = {
    "words in a redacted payload": """UPDATE events SET payload = '{"redacted": true, "x": 1}' WHERE seq = 1""",
    "an address put back": "UPDATE events SET ip = '192.0.2.8' WHERE seq = 1",
    "a user agent put back": "UPDATE events SET user_agent = 'Other' WHERE seq = 3",
    "another actor of a redacted row": "UPDATE events SET actor = gen_random_uuid() WHERE seq = %(redacted)s",
    "another type of a redacted row": "UPDATE events SET type = 'other.thing' WHERE seq = %(redacted)s",
    "another subject of a redacted row": "UPDATE events SET subject_id = 'other' WHERE seq = %(redacted)s",
    "a kept payload changed beside a redacted origin": "UPDATE events SET payload = '{}' WHERE seq = 3",
    "a kept origin changed beside a redacted payload": "UPDATE events SET ip = NULL WHERE seq = 2",
    "a record removed": "DELETE FROM event_redactions WHERE event_seq = %(redacted)s",
    "a recorded hash changed": "UPDATE event_redactions SET part_hash = sha256('x') WHERE event_seq = %(redacted)s",
    "a recorded frame changed": "UPDATE event_redactions SET fixed_hash = sha256('x') WHERE event_seq = %(redacted)s",
    "a record moved": "UPDATE event_redactions SET event_seq = 5 WHERE event_seq = 4 AND part = 'payload'",
    "the evidence removed": "DELETE FROM events WHERE type = 'audit.redacted'",
    "the evidence changed": "UPDATE events SET payload = payload || '{\"events\": 3}' WHERE type = 'audit.redacted'",
    "a row hushed up": """UPDATE events SET payload = '{"redacted": true}', payload_salt = NULL WHERE seq = 5""",
    "a row hushed up with a record": """
        INSERT INTO event_redactions (event_seq, part, redaction, fixed_hash, part_hash)
        SELECT 5, 'payload', redaction, fixed_hash, part_hash FROM event_redactions LIMIT 1;
        UPDATE events SET payload = '{"redacted": true}', payload_salt = NULL WHERE seq = 5
    """,
    "a row hushed up through the function": """
        SELECT nook_redact_events(gen_random_uuid(), ARRAY[5], ARRAY[true], ARRAY[%(origin)s])
    """,
    "a row added to a redaction through the function": """
        SELECT nook_redact_events(
            (SELECT redaction FROM event_redactions LIMIT 1), ARRAY[5], ARRAY[%(origin)s], ARRAY[true])
    """,
    "a redacted row removed": "DELETE FROM events WHERE seq = %(redacted)s",
}


@given(
    tampering=strategies.sampled_from(sorted(TAMPERINGS)),
    redacted=strategies.sampled_from([1, 2, 3, 4]),
    origin=strategies.sampled_from(["true", "false"]),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tampering_with_a_redacted_log_is_found(
    transactional_db: None, tampering: str, redacted: int, origin: str
) -> None:
    wipe_log()
    tell_story()
    redact()
    seal_events(6)
    head = seal.head()
    assert seal.verify(expected=head).faults == ()

    with unguarded(), connection.cursor() as cursor:
        cursor.execute(TAMPERINGS[tampering] % {"redacted": redacted, "origin": origin})

    assert seal.verify(expected=head).faults != ()
