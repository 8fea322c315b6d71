from datetime import timedelta

import pytest
from django.db import connection, transaction

from core import events as log
from core import queue, worker
from core.models import DeadLetter, Event, EventDelivery, OutboxRow
from core.permissions import SYSTEM
from core.tests.spine import Drain, Events

RUNS: list[str] = []


@queue.task(queue="notifications")
def remember(*, word: str, **_unknown: object) -> None:
    RUNS.append(word)


@queue.task(max_attempts=3)
def fail_always(**_unknown: object) -> None:
    raise ValueError("no luck")


@queue.task(max_attempts=2)
def postpone(**_unknown: object) -> None:
    raise queue.RetryLater(after=timedelta(minutes=5), reason="the receiver is asleep")


@queue.task(max_attempts=2)
def step_aside(**_unknown: object) -> None:
    raise queue.RetryLater(after=timedelta(seconds=10), reason="others are waited for", is_attempt=False)


@queue.task()
def give_up(**_unknown: object) -> None:
    raise queue.GiveUp("nobody lives there")


REMEMBER = f"{__name__}.remember"
FAIL_ALWAYS = f"{__name__}.fail_always"
POSTPONE = f"{__name__}.postpone"
STEP_ASIDE = f"{__name__}.step_aside"
GIVE_UP = f"{__name__}.give_up"


@pytest.fixture(autouse=True)
def _forget() -> None:
    RUNS.clear()


def test_a_task_runs_once_and_its_row_goes(drain: Drain) -> None:
    queue.enqueue(REMEMBER, word="one")

    assert drain() == 1
    assert RUNS == ["one"]
    assert not OutboxRow.objects.exists()
    assert drain() == 0


def test_a_promise_goes_with_the_transaction(drain: Drain) -> None:
    with transaction.atomic():
        queue.enqueue(REMEMBER, word="never")
        transaction.set_rollback(True)

    assert drain() == 0
    assert RUNS == []


def test_an_unknown_task_is_refused_when_it_is_promised(db: None) -> None:
    with pytest.raises(LookupError):
        queue.enqueue(f"{__name__}.nothing")

    assert not OutboxRow.objects.exists()


def test_a_delayed_task_waits(drain: Drain) -> None:
    queue.enqueue(REMEMBER, delay=timedelta(minutes=10), word="later")

    assert drain() == 0
    assert drain(ahead=timedelta(minutes=11)) == 1
    assert RUNS == ["later"]


def test_a_task_that_fails_is_tried_again_and_given_up(drain: Drain) -> None:
    queue.enqueue(FAIL_ALWAYS)

    assert drain() == 1
    row = OutboxRow.objects.get()
    assert (row.attempts, row.runs, row.dispatched_at) == (1, 0, None)
    assert "ValueError: no luck" in row.last_error

    assert drain(ahead=timedelta(days=1)) == 2
    letter = DeadLetter.objects.get()
    assert not OutboxRow.objects.exists()
    assert (letter.task, letter.attempts, letter.reason) == (FAIL_ALWAYS, 3, "ValueError: no luck")
    assert "raise ValueError" in letter.traceback


def test_a_postponed_task_is_due_when_it_says(drain: Drain) -> None:
    queue.enqueue(POSTPONE)

    assert drain() == 1
    assert drain(ahead=timedelta(minutes=4)) == 0
    assert drain(ahead=timedelta(minutes=6)) == 1
    assert DeadLetter.objects.get().reason == "the receiver is asleep"


def test_a_task_that_asked_nobody_has_used_up_no_attempt(drain: Drain) -> None:
    queue.enqueue(STEP_ASIDE)

    for _ in range(4):
        assert drain() == 1
        OutboxRow.objects.update(due_at=OutboxRow.objects.get().created_at)

    row = OutboxRow.objects.get()
    assert (row.attempts, row.last_error) == (0, "others are waited for")
    assert not DeadLetter.objects.exists()


def test_what_is_known_of_a_killed_worker_stands_in_the_dead_letter(drain: Drain) -> None:
    queue.enqueue(REMEMBER, word="poison")
    row = OutboxRow.objects.get()
    for _ in range(worker.MAX_RUNS):
        worker.note_lost(row.id, reason="Worker exited prematurely: signal 9 (SIGKILL).")
    OutboxRow.objects.update(runs=worker.MAX_RUNS)

    drain()

    assert DeadLetter.objects.get().traceback == "Worker exited prematurely: signal 9 (SIGKILL).\n" * 4


def test_a_task_that_kills_its_worker_starts_four_times(drain: Drain) -> None:
    queue.enqueue(REMEMBER, word="poison")
    OutboxRow.objects.update(runs=worker.MAX_RUNS)

    assert drain() == 1
    assert RUNS == []
    assert DeadLetter.objects.get().reason == "The worker died 4 times while running this task."


def test_three_deliveries_of_one_row_run_it_once(db: None) -> None:
    queue.enqueue(REMEMBER, word="once")
    row = OutboxRow.objects.get()
    OutboxRow.objects.update(dispatched_at=row.created_at)

    for _ in range(3):
        worker.run(row.id)

    assert RUNS == ["once"]


def test_an_event_outside_a_transaction_is_refused(transactional_db: None) -> None:
    assert not connection.in_atomic_block

    with pytest.raises(transaction.TransactionManagementError):
        log.publish("spine.tested", subject=None, actor=SYSTEM)

    assert not Event.objects.exists()


HEARD: list[str] = []


@log.subscriber("spine-listener", "spine.*")
def _hear(event: Event) -> None:
    HEARD.append(event.type)


@log.subscriber("spine-failing-listener", "spine.stumbled")
def _stumble(event: Event) -> None:
    raise ValueError(event.type)


@pytest.fixture(autouse=True)
def _deaf() -> None:
    HEARD.clear()


def test_an_event_reaches_its_subscriber_once(drain: Drain, events: Events) -> None:
    event = log.publish("spine.tested", subject=None, actor=SYSTEM, data={"after": {"a": 1}})
    log.promise(event.id, ["spine-listener"])

    assert drain() == 2
    assert HEARD == ["spine.tested"]
    assert [(row.type, row.seq, row.payload) for row in events("spine.*")] == [
        ("spine.tested", event.seq, {"after": {"a": 1}})
    ]
    assert EventDelivery.objects.get().subscriber == "spine-listener"


def test_a_failing_subscriber_does_not_stop_another(drain: Drain) -> None:
    log.publish("spine.stumbled", subject=None, actor=SYSTEM)

    assert drain() == 2
    assert HEARD == ["spine.stumbled"]
    assert EventDelivery.objects.get().subscriber == "spine-listener"
    assert OutboxRow.objects.get().kwargs["subscriber"] == "spine-failing-listener"


def test_a_task_that_gives_up_goes_to_the_dead_letters_at_once(drain: Drain) -> None:
    queue.enqueue(GIVE_UP)
    drain()

    (letter,) = DeadLetter.objects.all()
    assert (letter.task, letter.reason, letter.attempts) == (GIVE_UP, "nobody lives there", 1)
    assert not OutboxRow.objects.exists()
