"""Workers killed while very many are told, and while digests are let go: everybody is told, and nobody twice."""

import os
import time
from collections import Counter

import pytest

from tests.drills.house import House
from tests.drills.killer import Killer
from tests.drills.peers import EMAIL
from tests.drills.people import Ledger, Person
from tests.drills.reckoning import report
from tests.drills.telling import open_ones, seconds_until_told, settle

pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]

PEOPLE = int(os.environ.get("DRILL_PEOPLE", "60000"))
DIGESTS, THINGS = 200, 3

# As the product has them; the rows alone are what is drilled.
_MASS = """
INSERT INTO users (id, email, password_hash, name, role_id, is_active, email_verified)
SELECT nook_uuid7(), 'mass' || n || '@example.com', '!', 'Mass', role_id, true, true
FROM users, generate_series(1, {people}) AS n WHERE email = 'drill@example.com'
"""
_NOTED = """
SELECT u.id, (SELECT count(*) FROM notifications n WHERE n.user_id = u.id AND n.kind = 'drill.noted') AS times
FROM users u WHERE u.email LIKE 'mass%'
"""
_DIGEST_WANTED = """
INSERT INTO notification_preferences (id, user_id, choices, digest)
SELECT nook_uuid7(), id, '{{"drill.told": {{"sms": false, "push": false}}}}', 'daily' FROM users
WHERE id IN ({people})
"""
_DIGESTS = """
SELECT m.message_id, m.state, m.recipient_id, (SELECT count(*) FROM messages c WHERE c.carrier_id = m.id) AS things
FROM messages m WHERE m.kind = 'system.digest'
"""


def test_a_fan_out_whose_workers_are_killed_tells_each_once(house: House) -> None:
    assert house.execute(_MASS.format(people=PEOPLE)) == PEOPLE
    admin, killer = _signed_in(house), Killer(house, seed=7)

    admin.post("/api/v1/notifications/send", _news("drill.noted", {"all": True}))
    while _job(house) not in {"succeeded", "failed"}:
        killer.wait(lambda: _told(house), about=PEOPLE // 8)
        killer.strike("workers" if killer.kills.total() % 3 == 2 else "child")

    house.seconds_until_quiet(patience=120)
    times = Counter(row.times for row in house.rows(_NOTED))
    result = {"people": PEOPLE, "lost": times[0], "twice": sum(times.values()) - times[0] - times[1]}
    report("fan-out whose workers are killed", {**result, "kills": dict(killer.kills), "job": _job(house)})
    assert (times, _job(house)) == (Counter({1: PEOPLE}), "succeeded")
    assert killer.kills.total() >= 3
    assert not house.rows("SELECT 1 FROM dead_letters")


def test_digests_whose_workers_are_killed_arrive_once_each_with_all_its_parts(house: House) -> None:
    told = settle(house, count=DIGESTS)
    house.sink.refused.clear()
    people = [str(person) for person in told.people.values()]
    house.execute(_DIGEST_WANTED.format(people=", ".join(f"'{person}'" for person in people)))
    admin = _signed_in(house)
    for _ in range(THINGS):
        admin.post("/api/v1/notifications/send", _news("drill.told", {"users": people}))
    while _waiting(house) < DIGESTS * THINGS:
        time.sleep(0.2)

    house.execute("UPDATE messages SET not_before = now() WHERE state = 'collecting'")
    killer = Killer(house, seed=8)
    while open_ones(house) > DIGESTS / 20 or _waiting(house):
        house.execute(
            "INSERT INTO outbox (task, queue, kwargs) VALUES ('notifications.tasks.release', 'default', '{}')"
        )
        killer.wait(house.peers.books.count, about=20)
        killer.strike("child")

    recovery = seconds_until_told(house)
    digests = [row for row in house.rows(_DIGESTS) if str(row.recipient_id) in people]
    taken = [house.peers.books.taken[EMAIL, row.message_id] for row in digests]
    twice = sum(number > 1 for number in Counter(row.recipient_id for row in digests).values())
    again = sum(taken) - len(digests)
    result = {"digests": len(digests), "lost": len(people) - len(digests), "twice": twice, "again_after_a_kill": again}
    report("digests whose workers are killed", {**result, "kills": dict(killer.kills), "recovery_s": recovery})
    assert {(row.state, row.things) for row in digests} == {("sent", THINGS)}
    assert (len(digests), twice) == (DIGESTS, 0)
    assert min(taken) == 1
    assert again <= killer.kills["child"]


def _signed_in(house: House) -> Person:
    admin = Person(house, Ledger())
    admin.sign_in()
    return admin


def _news(kind: str, to: dict[str, object]) -> dict[str, object]:
    return {"kind": kind, "to": to, "data": {"title": "Drill of masses", "text": "Do not panic."}}


def _told(house: House) -> int:
    (row,) = house.rows("SELECT coalesce(max(done), 0) AS done FROM jobs WHERE state = 'running'")
    return int(row.done)


def _job(house: House) -> str:
    (row,) = house.rows("SELECT state FROM jobs WHERE kind = 'notifications.send' ORDER BY id DESC LIMIT 1")
    return str(row.state)


def _waiting(house: House) -> int:
    (row,) = house.rows("SELECT count(*) AS count FROM messages WHERE state = 'collecting'")
    return int(row.count)
