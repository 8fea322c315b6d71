"""The comparison at the end: every acknowledged thing is there, with each of its effects, once."""

import json
import sys
from collections import Counter
from typing import Any

from core.tests.embedded.running import manage
from tests.drills.house import House
from tests.drills.people import Ledger

_VERIFY = "verify"
_WELCOME = "welcome"


def reckon(house: House, ledger: Ledger) -> dict[str, Any]:
    """Return what was lost and what was done twice, by kind, and what is left over."""
    lost: Counter[str] = Counter()
    twice: Counter[str] = Counter()
    for kind, expected, found in _effects(house, ledger):
        lost[kind] += sum(1 for one in expected if not found[one])
        twice[kind] += sum(1 for count in found.values() if count > 1)
    return {
        "acked": ledger.acked,
        "lost": sum(lost.values()),
        "duplicated": sum(twice.values()),
        "by_kind": {kind: [lost[kind], twice[kind]] for kind in lost if lost[kind] or twice[kind]},
        "errors": ledger.errors,
        "refusals": dict(ledger.refusals.most_common(3)),
        "dead_letters": len(house.rows("SELECT 1 FROM dead_letters")),
        "mails_sent_again": _mails_sent_again(house),
        "audit": manage("audit_verify", environment=house.environment).returncode == 0,
    }


def _effects(house: House, ledger: Ledger) -> list[tuple[str, list[str], Counter[str]]]:
    users = house.rows("SELECT email FROM users")
    resources = house.rows("SELECT name FROM resources")
    created = house.rows("SELECT payload->'after'->>'name' AS name FROM events WHERE type = 'resource.created'")
    joined = house.rows("SELECT payload->'after'->>'email' AS email FROM events WHERE type = 'user.created'")
    versions = house.rows("SELECT r.name FROM resource_history v JOIN resources r ON r.id = v.resource_id")
    handled = house.rows(
        "SELECT u.email FROM event_deliveries d JOIN events e ON e.id = d.event_id"
        " JOIN users u ON u.id::text = e.subject_id WHERE d.subscriber = 'notifications.welcome'"
    )
    names = list(ledger.resources)
    return [
        ("user", ledger.registered, Counter(row.email for row in users)),
        ("user.created", ledger.registered, Counter(row.email for row in joined)),
        ("resource", names, Counter(row.name for row in resources)),
        ("resource.created", names, Counter(row.name for row in created)),
        ("resource version", names, Counter(row.name for row in versions)),
        ("welcome handled", ledger.verified, Counter(row.email for row in handled)),
        ("mail to verify", ledger.registered, _mails(house, _VERIFY)),
        ("mail of welcome", ledger.verified, _mails(house, _WELCOME)),
    ]


def _mails(house: House, kind: str) -> Counter[str]:
    """Return how many different mails of a kind each address has got: the same Message-ID is the same mail."""
    rows = house.rows("SELECT message_id, kind FROM messages")
    kinds = {row.message_id: row.kind for row in rows}
    different = {(mail["To"], mail["Message-ID"]) for mail in house.sink.mails}
    return Counter(address for address, number in different if kind in kinds.get(number, ""))


def _mails_sent_again(house: House) -> int:
    """Return how many copies came of mails that had come: a worker died between the server's yes and its note."""
    copies = Counter(mail["Message-ID"] for mail in house.sink.mails)
    return sum(count - 1 for count in copies.values())


def report(drill: str, result: dict[str, Any]) -> None:
    """Print the one line of a drill."""
    sys.stdout.write(f"\n{json.dumps({'drill': drill, **result})}\n")
