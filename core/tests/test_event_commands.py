from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from pytest_django import Settings

from core import events as log
from core import partitions, seal
from core.models import DeadLetter, Event, EventDelivery, OutboxRow, ScheduleRun
from core.permissions import SYSTEM
from core.tests.spine import Drain, Events
from core.tests.test_seal import seal_events

HEARD: list[str] = []


@log.subscriber("replay-listener", "replayed.*")
def _hear(event: Event) -> None:
    HEARD.append(event.type)


@pytest.fixture(autouse=True)
def _deaf() -> None:
    HEARD.clear()


def run(*arguments: str) -> str:
    printed = StringIO()
    call_command(*arguments, stdout=printed)
    return printed.getvalue()


def months_from_now(months: int) -> str:
    now = datetime.now(UTC)
    year, month = divmod(now.year * 12 + now.month - 1 + months, 12)
    return f"events_{year:04d}_{month + 1:02d}"


def test_replay_feeds_a_subscriber_again(drain: Drain) -> None:
    log.publish("replayed.one", subject=None, actor=SYSTEM)
    log.publish("replayed.two", subject=None, actor=SYSTEM)
    log.publish("other.three", subject=None, actor=SYSTEM)
    drain()
    assert HEARD == ["replayed.one", "replayed.two"]

    arguments = ("replay_events", "--subscriber=replay-listener", "--since=2020-01-01")
    assert run(*arguments, "--dry-run") == "Would replay 2 events for replay-listener.\n"
    assert drain() == 0
    assert run(*arguments, "--missed-only") == "Queued 0 events for replay-listener.\n"
    assert run(*arguments, "--type=replayed.two") == "Queued 1 events for replay-listener.\n"
    assert drain() == 1
    assert run(*arguments, "--until=2021-01-01T00:00+01:00") == "Queued 0 events for replay-listener.\n"
    assert run(*arguments) == "Queued 2 events for replay-listener.\n"
    assert drain() == 2

    assert HEARD == ["replayed.one", "replayed.two", "replayed.two", "replayed.one", "replayed.two"]
    assert EventDelivery.objects.count() == 2


def test_replay_refuses_a_subscriber_that_is_not_there(db: None) -> None:
    with pytest.raises(CommandError, match=r"There is no subscriber 'nobody'; there are .*replay-listener"):
        run("replay_events", "--subscriber=nobody", "--since=2020-01-01")


def test_the_coming_months_are_made_once(db: None) -> None:
    assert partitions.months() == [months_from_now(ahead) for ahead in range(4)]

    assert run("partitions", "--ahead=4") == f"Made 1 partitions ({months_from_now(4)}).\n"
    assert run("partitions", "--ahead=4") == "Made 0 partitions.\n"


def test_rows_of_a_month_that_was_not_there_move_into_it(db: None) -> None:
    far = months_from_now(5)
    first_day = far.removeprefix("events_").replace("_", "-") + "-01"
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO events (type, occurred_at) VALUES ('early.thing', %s)", [first_day])
        cursor.execute("SELECT tableoid::regclass::text FROM events")
        assert cursor.fetchall() == [("events_default",)]

        partitions.make_partitions(ahead=5)

        cursor.execute("SELECT tableoid::regclass::text FROM events")
        assert cursor.fetchall() == [(far,)]


def test_an_archived_month_is_not_taken_for_a_removed_one(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nook_make_events_partition('2020-01-01')")
        cursor.execute("INSERT INTO events (type, occurred_at) VALUES ('old.thing', '2020-01-15')")
    with transaction.atomic():
        log.publish("new.thing", subject=None, actor=SYSTEM)
    seal_events(2)
    try:
        arguments = ("partitions", "--retain-months=12")
        assert "Would detach 1 partitions (events_2020_01); --yes does it.\n" in run(*arguments)
        assert Event.objects.count() == 2
        assert "Detached 1 partitions (events_2020_01).\n" in run(*arguments, "--yes")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE events_2020_01")
    seal_events(3)

    assert list(Event.objects.order_by("seq").values_list("type", flat=True)) == ["new.thing", "audit.archived"]
    report = seal.verify(expected=seal.head())
    assert (report.checked, report.archived, report.faults) == (3, 1, ())


def test_the_head_is_put_into_the_storage(db: None, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}

    head = seal.export_head()
    seal.export_head()

    names = [path.name for path in (tmp_path / "audit-heads").iterdir()]
    assert names == [f"{head.position:020d}.json"]
    assert str(head) in (tmp_path / "audit-heads" / names[0]).read_text()


def letter(number: int, task: str = "core.tasks.make_partitions") -> DeadLetter:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return DeadLetter.objects.create(
        outbox_id=number,
        task=task,
        queue="maintenance",
        attempts=8,
        reason="no luck",
        traceback="T",
        first_at=now,
        last_at=now,
    )


def test_dead_letters_are_listed_and_shown(db: None) -> None:
    first = letter(1)

    assert run("dlq", "list") == (
        f"{first.id}  2026-01-02T03:04:05+00:00  core.tasks.make_partitions  8 attempts  no luck\n1 dead letters.\n"
    )
    assert "reason: no luck\n" in run("dlq", "show", str(first.id))
    with pytest.raises(CommandError, match="There is no dead letter 0"):
        run("dlq", "show", "0")


def test_a_retried_letter_goes_back_into_the_outbox(drain: Drain, events: Events) -> None:
    first = letter(1)
    letter(2)

    assert run("dlq", "retry", str(first.id)) == "Would put 1 dead letters back into the outbox; --yes does it.\n"
    assert DeadLetter.objects.count() == 2
    assert run("dlq", "retry", str(first.id), "--yes") == "Put 1 dead letters back into the outbox.\n"

    assert DeadLetter.objects.get().outbox_id == 2
    assert [(event.type, event.subject_id) for event in events()] == [("dead_letter.retried", str(first.id))]
    assert drain() == 1
    assert not OutboxRow.objects.exists()


def test_discarded_letters_are_gone(db: None, events: Events) -> None:
    letter(1)
    letter(2, task="core.tasks.purge_expired")

    with pytest.raises(CommandError, match="Name the letters"):
        run("dlq", "discard")
    assert run("dlq", "discard", "--all") == "Would discard 2 dead letters; --yes does it.\n"
    assert run("dlq", "discard", "--task=core.tasks.purge_expired", "--yes") == "Discarded 1 dead letters.\n"

    assert DeadLetter.objects.get().outbox_id == 1
    assert [event.type for event in events()] == ["dead_letter.discarded"]
    assert not OutboxRow.objects.exists()


def test_purge_removes_what_is_past_its_time(db: None) -> None:
    old, new = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC)
    for moment in (old, new):
        ScheduleRun.objects.create(name="purge", due_at=moment)
        EventDelivery.objects.create(
            event_id=f"00000000-0000-7000-8000-{moment.year:012d}", subscriber="x", handled_at=moment
        )

    assert "event_deliveries: 1\njobs: 0\nschedule_runs: 1\nWould remove 2 rows; --yes does it.\n" in run("purge")
    assert ScheduleRun.objects.count() == 2
    assert "Removed 2 rows.\n" in run("purge", "--yes")

    assert ScheduleRun.objects.get().due_at == new
    assert EventDelivery.objects.get().handled_at == new


def test_purge_empties_the_bin_of_what_has_lain_there_long_enough(owner: models.Model) -> None:
    things: Any = apps.get_model("resources", "Resource")._base_manager
    old = things.create(owner=owner, name="Old", deleted_at=datetime(2020, 1, 1, tzinfo=UTC))
    new = things.create(owner=owner, name="New", deleted_at=datetime.now(UTC))

    assert "resources: 1\n" in run("purge")
    assert things.filter(pk=old.pk).exists()
    assert "resources: 1\n" in run("purge", "--yes")

    assert not things.filter(pk=old.pk).exists()
    assert things.filter(pk=new.pk).exists()


def test_purge_leaves_deleted_people_to_their_own_clock(owner: models.Model) -> None:
    people = type(owner)._base_manager
    people.filter(pk=owner.pk).update(deleted_at=datetime(2020, 1, 1, tzinfo=UTC))

    assert "users" not in run("purge", "--yes")

    assert people.filter(pk=owner.pk).exists()
