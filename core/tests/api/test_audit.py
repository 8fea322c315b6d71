"""GET /audit: the log for those who may read it, by index whatever its size."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.test import Client

from core import context, events
from core.context import WorkContext
from core.models import Event
from core.permissions import SYSTEM, Caller

ClientOf = Callable[[Any], Client]
PATH = "/api/v1/audit"

pytestmark = pytest.mark.django_db


def happen(type_: str, actor: Caller = SYSTEM, subject: Any = None, ip: str | None = None, **data: Any) -> Event:
    with context.working(WorkContext(request_id="r", ip=ip, user_agent="")), transaction.atomic():
        return events.publish(type_, subject=subject, actor=actor, data=data)


def found(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.content
    return [row["type"] for row in answer.json()["data"] if row["type"].startswith("told.")]


def test_an_auditor_reads_everything_newest_first(admin: Any, owner: Any, client_of: ClientOf) -> None:
    first = happen("told.first", Caller.of(owner), owner, "203.0.113.7", before={"name": "A"}, after={"name": "B"})
    happen("told.second")

    rows = client_of(admin).get(PATH).json()["data"]

    assert [row["type"] for row in rows][:2] == ["told.second", "told.first"]
    assert {**rows[1], "seq": 0, "occurred_at": ""} == {
        "seq": 0,
        "id": str(first.id),
        "type": "told.first",
        "actor": str(owner.pk),
        "on_behalf_of": None,
        "subject": {"type": "user", "id": str(owner.pk)},
        "payload": {"before": {"name": "A"}, "after": {"name": "B"}},
        "ip": "203.0.113.7",
        "user_agent": "",
        "request_id": "r",
        "trace_id": "r",
        "occurred_at": "",
    }


def test_nobody_else_reads_it(owner: Any, moderator: Any, anonymous: Client, client_of: ClientOf) -> None:
    assert anonymous.get(PATH).status_code == 401
    assert [client_of(user).get(PATH).status_code for user in (owner, moderator)] == [403, 403]


def test_every_filter_narrows_and_all_have_to_hold(admin: Any, owner: Any, client_of: ClientOf) -> None:
    happen("told.mine", Caller.of(owner), owner, "203.0.113.7")
    happen("told.other", SYSTEM, None, "2001:db8::1")
    client = client_of(admin)

    assert found(client, "type=told.mine") == ["told.mine"]
    assert found(client, "type=told.*") == ["told.other", "told.mine"]
    assert found(client, f"actor={owner.pk}") == ["told.mine"]
    assert found(client, f"subject={owner.pk}&type=told.*") == ["told.mine"]
    assert found(client, "ip=203.0.113.7&type=told.*") == ["told.mine"]
    assert found(client, "ip=2001:0db8::0001&type=told.*") == ["told.other"]
    assert found(client, f"actor={owner.pk}&type=told.other") == []


def test_times_bound_the_list_whatever_order_rows_were_written_in(admin: Any, client_of: ClientOf) -> None:
    now = datetime.now(UTC)
    for days in (3, 40, 0, 40, 1):
        Event.objects.create(type=f"told.{days}", occurred_at=now - timedelta(days=days))
    client = client_of(admin)

    def at(**bounds: float) -> list[str]:
        times = {name: (now - timedelta(days=days)).isoformat() for name, days in bounds.items()}
        return sorted(found(client, urlencode(times)))

    assert at(after=2) == ["told.0", "told.1"]
    assert at(before=2) == ["told.3", "told.40", "told.40"]
    assert at(after=50, before=2.5) == ["told.3", "told.40", "told.40"]
    assert at(after=2, before=0.5) == ["told.1"]
    assert at(before=60) == []


def test_cursors_walk_the_whole_list(admin: Any, client_of: ClientOf) -> None:
    for number in range(7):
        happen(f"told.{'abcdefg'[number]}")
    client, walked = client_of(admin), []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{PATH}?type=told.*&per_page=3&cursor={cursor}").json()
        walked += [row["type"] for row in page["data"]]
        cursor = page["meta"]["next_cursor"]

    assert walked == [f"told.{letter}" for letter in "gfedcba"]


def test_what_looks_like_a_secret_is_not_told(admin: Any, client_of: ClientOf) -> None:
    happen("told.secret", password="horse", note="Bearer abcdefghijklmnop")

    (row,) = client_of(admin).get(f"{PATH}?type=told.secret").json()["data"]

    assert "horse" not in str(row)


@pytest.mark.parametrize(
    "query",
    [
        "type=", "type=user", "type=*", "type=user.%25", "type=user.*.x", "actor=me", "actor=", "subject=",
        "subject=" + "x" * 65, "ip=localhost", "ip=1.2.3", "after=yesterday", "before=", "sort=seq", "q=x",
        "type=a.b&type=c.d", "cursor=x",
    ],
)  # fmt: skip
def test_bad_questions_are_refused(admin: Any, client_of: ClientOf, query: str) -> None:
    answer = client_of(admin).get(f"{PATH}?{query}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


def plan(rows: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    return str(rows.explain())


def test_every_filter_stands_on_an_index_that_gives_the_order(owner: Any) -> None:
    day = datetime.now(UTC) - timedelta(days=1)
    everything = Event.objects.between(day, datetime.now(UTC)).order_by("-seq")
    filters = {"type": "a.b", "actor": owner.pk, "subject_id": "x", "ip": "203.0.113.7", "on_behalf_of": owner.pk}
    for column, value in filters.items():
        explained = plan(everything.filter(**{column: value})[:21])
        assert "Seq Scan" not in explained, explained
        assert "Index Cond" in explained, explained
