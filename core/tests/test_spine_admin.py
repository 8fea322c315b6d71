from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import models
from django.test import Client

from core import context, queue
from core.events import publish
from core.models import DeadLetter, Event, OutboxRow, ScheduleRun
from core.permissions import SYSTEM, Caller
from core.tests.spine import Drain, Events

BrowserOf = Callable[[models.Model], Client]

EVENTS = "/admin/core/event/"
OUTBOX = "/admin/core/outboxrow/"
LETTERS = "/admin/core/deadletter/"
RUNS = "/admin/core/schedulerun/"


@pytest.fixture
def browser(browser_of: BrowserOf, admin: models.Model, drain: Drain) -> Client:
    """A signed-in administrator's browser; what the sign-in set off has been done."""
    signed_in = browser_of(admin)
    drain()
    return signed_in


def listed(browser: Client, path: str) -> list[str]:
    """Return what the list shows, a row by its text."""
    answer = browser.get(path)
    assert answer.status_code == 200
    return [str(row) for row in answer.context["cl"].result_list]


def letter(number: int) -> DeadLetter:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return DeadLetter.objects.create(
        outbox_id=number,
        task="core.tasks.make_partitions",
        queue="maintenance",
        kwargs={"number": number, "token": "tell-nobody"},
        attempts=8,
        reason="no luck",
        traceback="Traceback: no luck",
        first_at=moment,
        last_at=moment,
    )


def test_events_are_found_by_type_time_and_id(browser: Client) -> None:
    actor = Caller(id=uuid4())
    with context.working(context.WorkContext(request_id="request-1", ip="192.0.2.7")):
        one = publish("shelf.built", subject=None, actor=actor)
    two = publish("shelf.painted", subject=None, actor=SYSTEM, data={"after": {"colour": "red"}})

    assert listed(browser, f"{EVENTS}?type=shelf.*") == [str(two), str(one)]
    assert listed(browser, f"{EVENTS}?type=shelf.built") == [str(one)]
    assert listed(browser, f"{EVENTS}?type=shelf.*&when=hour") == [str(two), str(one)]
    assert listed(browser, f"{EVENTS}?type=shelf.*&when={datetime.now(UTC):%Y-%m}") == [str(two), str(one)]
    for term in (str(actor.id), "request-1", "192.0.2.7", str(one.id)):
        assert listed(browser, f"{EVENTS}?q={term}") == [str(one)]
    assert listed(browser, f"{EVENTS}?q=nothing") == []


def test_an_event_shows_its_payload_and_cannot_be_changed(browser: Client) -> None:
    event = publish("shelf.painted", subject=None, actor=SYSTEM, data={"after": {"colour": "red"}})
    before = Event.objects.values().get(id=event.id)

    page = browser.get(f"{EVENTS}{event.id}/change/").content.decode()

    assert "&quot;colour&quot;: &quot;red&quot;" in page
    assert browser.post(f"{EVENTS}{event.id}/change/", {"type": "other"}).status_code == 403
    assert browser.post(f"{EVENTS}{event.id}/delete/", {"post": "yes"}).status_code == 403
    assert browser.get(f"{EVENTS}add/").status_code == 403
    assert Event.objects.values().get(id=event.id) == before


def test_the_outbox_shows_what_waits(browser: Client) -> None:
    queue.enqueue("core.tasks.make_partitions", password="tell-nobody")
    row = OutboxRow.objects.get()

    assert listed(browser, OUTBOX) == [str(row)]
    assert listed(browser, f"{OUTBOX}?queue=maintenance") == [str(row)]
    assert listed(browser, f"{OUTBOX}?queue=bulk") == []
    page = browser.get(f"{OUTBOX}{row.id}/change/").content.decode()
    assert "core.tasks.make_partitions" in page
    assert "tell-nobody" not in page


def test_dead_letters_run_again(browser: Client, drain: Drain, events: Events) -> None:
    first, second = letter(1), letter(2)

    answer = browser.post(LETTERS, {"action": "retry", "_selected_action": [first.id, second.id]}, follow=True)

    assert "2 tasks run again." in answer.content.decode()
    assert not DeadLetter.objects.exists()
    assert [event.type for event in events("dead_letter.*")] == ["dead_letter.retried"] * 2
    assert drain() == 2


def test_dead_letters_are_discarded(browser: Client, events: Events) -> None:
    first, second = letter(1), letter(2)
    page = browser.get(f"{LETTERS}{first.id}/change/").content.decode()
    assert "Traceback: no luck" in page
    assert "tell-nobody" not in page

    answer = browser.post(LETTERS, {"action": "discard", "_selected_action": [first.id]}, follow=True)

    assert "1 tasks discarded." in answer.content.decode()
    assert DeadLetter.objects.get() == second
    assert [event.type for event in events("dead_letter.*")] == ["dead_letter.discarded"]
    assert not OutboxRow.objects.exists()


def test_a_schedule_shows_its_last_run_and_runs_now(browser: Client, drain: Drain) -> None:
    for day in (1, 2):
        ScheduleRun.objects.create(
            name="make-partitions", due_at=datetime(2026, 1, day, tzinfo=UTC), outcome="succeeded"
        )

    assert listed(browser, RUNS) == ["make-partitions at 2026-01-02 00:00:00"]
    assert len(listed(browser, f"{RUNS}?runs=all")) == 2
    assert len(listed(browser, f"{RUNS}?runs=make-partitions")) == 2
    assert listed(browser, f"{RUNS}?runs=failed") == []

    chosen = ScheduleRun.objects.order_by("due_at").last()
    answer = browser.post(RUNS, {"action": "run_now", "_selected_action": [chosen.pk if chosen else 0]}, follow=True)

    assert "1 schedules run now." in answer.content.decode()
    assert drain() == 1
    assert ScheduleRun.objects.filter(outcome=ScheduleRun.SUCCEEDED).count() == 3


@pytest.mark.parametrize("path", [OUTBOX, LETTERS, RUNS])
def test_a_moderator_sees_no_operations(browser_of: BrowserOf, moderator: models.Model, path: str) -> None:
    letter(1)
    browser = browser_of(moderator)

    assert browser.get(path).status_code in {302, 403}
    assert browser.post(path, {"action": "discard", "_selected_action": [1]}).status_code in {302, 403}
    assert DeadLetter.objects.count() == 1
