"""Tells the people of a drilled house things on every channel, and reckons who was told what, and how often."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from tests.drills.house import House
from tests.drills.peers import EMAIL, PUSH, SMS, WEBHOOK
from tests.drills.people import Ledger, Person

ENDPOINTS: Final = 2
SORTS: Final = ("resource.created", "share.created")
PER_PERSON: Final = 4 + 3 + ENDPOINTS * len(SORTS)
"""Of the fan-out a row, a mail, a text and a push; of a share a row, a mail and a push; of both events the webhooks."""

_CROWD: Final = "SELECT id, email FROM users WHERE email LIKE 'crowd%'"
_ROWS: Final = "SELECT user_id, kind, subject_id FROM notifications WHERE kind IN ('drill.told', 'resource.shared')"
_WAYS: Final = """
SELECT m.channel, n.kind, n.user_id, n.subject_id FROM messages m JOIN notifications n ON n.id = m.notification_id
WHERE n.kind IN ('drill.told', 'resource.shared')
"""


@dataclass
class Told:
    """What the server acknowledged."""

    people: dict[str, UUID]
    """By their mail addresses."""
    title: str
    ledger: Ledger = field(default_factory=Ledger)
    shares: dict[str, UUID] = field(default_factory=dict)
    """Whom each resource was shared with."""

    @property
    def notifications(self) -> int:
        """Return how many rows, messages and webhooks there have to be."""
        return 4 * len(self.people) + (3 + ENDPOINTS * len(SORTS)) * len(self.shares)


def settle(house: House, *, count: int) -> Told:
    """Let people move in whom every channel reaches, with two webhooks of the admin's; some of them have moved on."""
    before = {row.id for row in house.rows(_CROWD)}
    house.run_module("tests.drills.crowd", str(len(before)), str(count), house.peers.web.place)
    people = {row.email: row.id for row in house.rows(_CROWD) if row.id not in before}
    house.sink.refused |= set(sorted(people)[:: max(1, count // 5)])
    return Told(people, f"Drill {len(before)}")


def subscribe(house: House, told: Told) -> Person:
    """Sign the admin in, who makes the webhooks; return the admin."""
    admin = Person(house, told.ledger)
    admin.sign_in()
    for _ in range(ENDPOINTS):
        url = f"http://{house.peers.web.place}/hook/{uuid4().hex}"
        admin.post("/api/v1/webhooks", {"url": url, "events": list(SORTS)})
    return admin


def tell_all(admin: Person, told: Told) -> None:
    """Tell all of them the same, by one job."""
    people = [str(person) for person in told.people.values()]
    data = {"title": told.title, "text": "Do not panic."}
    admin.post("/api/v1/notifications/send", {"kind": "drill.told", "to": {"users": people}, "data": data})


def tell_each(house: House, told: Told, *, threads: int) -> list[threading.Thread]:
    """Share a new resource with each of them, in so many threads; return these."""
    waiting = list(told.people.values())
    started = [
        threading.Thread(target=_share, args=(house, told, waiting[number::threads])) for number in range(threads)
    ]
    for thread in started:
        thread.start()
    return started


def _share(house: House, told: Told, people: list[UUID]) -> None:
    writer = Person(house, told.ledger)
    writer.sign_in()
    for person in people:
        resource = writer.write()
        writer.post(f"/api/v1/resources/{resource}/shares", {"user": str(person), "access": "viewer"})
        told.shares[resource] = person


def reckon_told(house: House, told: Told) -> dict[str, Any]:
    """Return what is missing, what there is twice, and what came twice outside, and why."""
    inside = _inside(house, told)
    outside = _outside(house)
    return {"notifications": told.notifications, **inside, **outside}


def _inside(house: House, told: Told) -> dict[str, Any]:
    people = set(told.people.values())
    rows = [row for row in house.rows(_ROWS) if row.user_id in people]
    messages = [row for row in house.rows(_WAYS) if row.user_id in people]
    found = Counter((row.kind, row.subject_id or str(row.user_id)) for row in rows)
    ways = Counter((row.channel, row.kind, row.subject_id or str(row.user_id)) for row in messages)
    expected = {("drill.told", str(person)) for person in people}
    expected |= {("resource.shared", resource) for resource in told.shares}
    wanted = {(channel, *one) for one in expected for channel in _channels(one[0])}
    return {
        "lost_inside": len(expected - found.keys()) + len(wanted - ways.keys()),
        "twice_inside": sum(count > 1 for count in (*found.values(), *ways.values())),
        "more_than_asked": len(found.keys() - expected) + len(ways.keys() - wanted),
    }


def _channels(kind: str) -> tuple[str, ...]:
    return (EMAIL, SMS, PUSH) if kind == "drill.told" else (EMAIL, PUSH)


_TAKEN: Final = ("sent", "delivered")
_REFUSED: Final = ("failed", "suppressed")
"""The first mail to an address at which nobody lives fails; from then on it is not asked any more."""


@dataclass(frozen=True)
class _Sent:
    """A message or a webhook, as our books have it."""

    channel: str
    name: str
    state: str
    interrupted: int
    right_states: tuple[str, ...]


def _outside(house: House) -> dict[str, Any]:
    books = house.peers.books
    sent = [*_messages(house), *_webhooks(house)]
    names = {(one.channel, one.name) for one in sent}
    wrong = [one for one in sent if one.state not in one.right_states]
    result: Counter[str] = Counter()
    for one in sent:
        key = (one.channel, one.name)
        again = max(0, books.taken[key] - 1)
        after_silence = min(again, books.silently[key])
        result["lost_outside"] += one.state in _TAKEN and not books.taken[key]
        result["told_though_failed"] += one.state in _REFUSED and bool(books.taken[key])
        result["again_after_silence"] += after_silence
        result["again_after_a_kill"] += min(again - after_silence, one.interrupted)
        result["again_without_reason"] += max(0, again - after_silence - one.interrupted)
    return {
        **result,
        "wrong_states": [f"{one.channel} {one.state} {one.name}" for one in wrong][:5],
        "under_another_id": sum(count > 0 for key, count in books.taken.items() if key not in names),
        "taken": dict(Counter(one.channel for one in sent)),
        "troubles": dict(books.troubles),
        "interrupted": sum(one.interrupted for one in sent),
        "dead_letters": len(house.rows("SELECT 1 FROM dead_letters")),
    }


def _messages(house: House) -> list[_Sent]:
    rows = house.rows(
        "SELECT m.id, m.message_id, m.channel, m.address, m.state, coalesce(n.context->>'title', '') AS title,"
        " (SELECT count(*) FROM message_attempts a WHERE a.message_id = m.id AND a.outcome = 'interrupted') AS cut"
        " FROM messages m LEFT JOIN notifications n ON n.id = m.notification_id"
    )
    return [
        _Sent(
            row.channel,
            {EMAIL: row.message_id, SMS: f"{row.address} {row.title}"}.get(row.channel, str(row.id)),
            row.state,
            row.cut,
            _REFUSED if row.channel == EMAIL and row.address in house.sink.refused else _TAKEN,
        )
        for row in rows
    ]


def _webhooks(house: House) -> list[_Sent]:
    rows = house.rows(
        "SELECT e.url, d.event_id, d.state,"
        " (SELECT count(*) FROM webhook_attempts a WHERE a.delivery_id = d.id AND a.outcome = 'interrupted') AS cut"
        " FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id"
    )
    return [
        _Sent(WEBHOOK, f"{row.url.rpartition('/')[2]} msg_{row.event_id.hex}", row.state, row.cut, _TAKEN)
        for row in rows
    ]


def let_time_pass(house: House) -> None:
    """Make due what waits for minutes and hours: webhooks that failed, endpoints that are left alone."""
    house.execute("UPDATE webhook_endpoints SET paused_until = NULL WHERE paused_until IS NOT NULL")
    house.execute("UPDATE webhook_deliveries SET next_attempt_at = now() WHERE state = 'queued'")
    house.execute(
        "UPDATE outbox SET due_at = now() WHERE task = 'notifications.tasks.send_webhooks' AND leased_by IS NULL"
        " AND dispatched_at IS NULL"
    )


def open_ones(house: House) -> int:
    """Return how many messages and webhooks are under way, or will be."""
    (row,) = house.rows(
        "SELECT (SELECT count(*) FROM messages WHERE state IN ('held', 'queued', 'sending'))"
        " + (SELECT count(*) FROM webhook_deliveries WHERE state IN ('queued', 'sending'))"
        " + (SELECT count(*) FROM outbox WHERE task = 'core.tasks.handle_event') AS count"
    )
    return int(row.count)


def seconds_until_told(house: House, *, patience: float = 300) -> float:
    """Return how long it takes until nothing is under way any more, when hours are let pass."""
    started = time.monotonic()
    while open_ones(house):
        assert time.monotonic() - started < patience, house.rows("SELECT * FROM outbox LIMIT 5")
        let_time_pass(house)
        time.sleep(1)
    house.seconds_until_quiet(patience=patience)
    return round(time.monotonic() - started, 1)
