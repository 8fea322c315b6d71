"""Run inside an empty world: fill it, ask everything as every caller, print latencies and plans as JSON.

The callers have the same rows in a world of any size; what grows is what others have.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from django.db import connection, transaction  # noqa: E402  # after the setup

from accounts.models import User  # noqa: E402
from core.identifiers import uuid7  # noqa: E402
from core.jobs import Work  # noqa: E402
from core.permissions import SYSTEM, Caller  # noqa: E402
from core.plans import Statement  # noqa: E402
from resources import aggregates, plans  # noqa: E402
from resources.aggregates import aggregate  # noqa: E402
from resources.demo.loading import indexes_later, refresh_statistics  # noqa: E402
from resources.demo.people import demo_users  # noqa: E402
from resources.models import Resource  # noqa: E402
from resources.questions import Question, read_parameters, shape_for  # noqa: E402
from resources.services import indexes, types  # noqa: E402

TYPE: Final = "measured"
FEW, MANY, SHARED, NOTHING = "owner of few", "owner of many", "2,000 shares", "sees nothing"
CALLERS: Final = {
    FEW: "user1@example.com",
    MANY: "user2@example.com",
    SHARED: "user3@example.com",
    NOTHING: "user4@example.com",
}
_PEOPLE: Final = 100
_FEW, _MANY, _SHARES = 20, 2_000, 2_000
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "x-index": True},
        "total": {"type": "number", "x-index": True},
        "region": {"type": "string", "x-index": True},
        "word": {"type": "string"},
    },
}
# Without triggers: they would take an hour for a million rows, and write what is written here.
_FILL: Final = """
SET LOCAL session_replication_role = replica;
SET LOCAL statement_timeout = 0;
INSERT INTO resources (created_at, updated_at, type, owner_id, name, data, search)
SELECT now() - make_interval(secs => %(rows)s - place), now(), %(type)s,
       CASE WHEN place %% (%(rows)s / %(few)s) = 3 THEN %(few_owner)s::uuid
            WHEN place %% (%(rows)s / %(many)s) = 1 THEN %(many_owner)s::uuid
            ELSE (%(people)s::uuid[])[1 + place %% cardinality(%(people)s::uuid[])] END,
       'Thing ' || place,
       jsonb_build_object('number', 'N-' || place, 'total', place * 0.25, 'region', 'r' || place %% 10,
                          'word', 'w' || place %% 1000),
       to_tsvector('nook', concat_ws(' ', 'Thing', place, 'N-' || place, 'w' || place %% 1000))
FROM generate_series(1, %(rows)s) AS place
"""
_SHARE: Final = """
INSERT INTO shares (id, resource_id, user_id, access, given_by_id)
SELECT nook_uuid7(), id, %(receiver)s, 1, owner_id FROM resources
WHERE (data ->> 'total')::numeric * 4 %% (%(rows)s / %(shares)s) = 2 LIMIT %(shares)s
"""

Ask = Callable[[Caller], tuple[Statement, dict[str, Any]]]


def fill(rows: int) -> None:
    """Make the people, the type and the rows, and build the indexes."""
    people = {user.email: user.id for user in demo_users(_PEOPLE, password="not-asked-for")}  # noqa: S106  # nobody signs in
    types.create_type(actor=SYSTEM, new=types.NewType(TYPE, "Measured", schema=_SCHEMA))
    others = [user_id for email, user_id in people.items() if email not in CALLERS.values()]
    values: dict[str, Any] = {
        "rows": rows,
        "type": TYPE,
        "people": others,
        "few": _FEW,
        "few_owner": people[CALLERS[FEW]],
        "many": _MANY,
        "many_owner": people[CALLERS[MANY]],
        "shares": _SHARES,
        "receiver": people[CALLERS[SHARED]],
    }
    with transaction.atomic(), indexes_later(rebuild=True), connection.cursor() as cursor:
        cursor.execute(_FILL, values)
        cursor.execute(_SHARE, values)
    work = Work(job_id=uuid7(), owner_id=None, parameters={}, checkpoint={})
    while indexes.build_next(work) is None:
        pass
    refresh_statistics()


def _page(**parameters: str) -> Ask:
    def ask(caller: Caller) -> tuple[Statement, dict[str, Any]]:
        question = Question.of(caller, read_parameters({name: [value] for name, value in parameters.items()}))
        if "cursor" in parameters:
            return plans.cursor_page(question.listed, is_start=True, is_backward=False), question.values
        return plans.page(question.listed), question.values

    return ask


def _detail(caller: Caller) -> tuple[Statement, dict[str, Any]]:
    first = Resource.objects.visible_to(caller).order_by("id").values_list("id", flat=True).first()
    values = {"user": caller.id, "role": caller.role, "id": first or Resource.objects.values_list("id", flat=True)[0]}
    return plans.detail(shape_for(caller, {})), values


def _aggregate(caller: Caller) -> tuple[Statement, dict[str, Any]]:
    question = Question.of(caller, read_parameters({"type": [TYPE]}), asks_of_data=True)
    groups, measures = ("data.region",), ("count", "sum:data.total")
    aggregate(question, groups, measures)
    grouped = tuple(aggregates.grouping(name, question) for name in groups)
    measured = tuple(aggregates.measure(name, question) for name in measures)
    return aggregates.statement(question.listed, grouped, measured), question.values


WORKS: Final[dict[str, Ask]] = {
    "detail": _detail,
    "list of 20 with total": _page(),
    "cursor page": _page(cursor=""),
    "x-index: equal": _page(type=TYPE, **{"data.number": "N-4003"}),
    "x-index: range": _page(type=TYPE, **{"data.total__gte": "100", "data.total__lt": "110"}),
    "x-index: sort": _page(type=TYPE, sort="-data.total"),
    "index of all data: equal": _page(type=TYPE, **{"data.word": "w3"}),
    "full text: one row": _page(q="N-4003"),
    "full text: every 1,000th row": _page(q="w3"),
    "aggregate": _aggregate,
}


def latency(statement: Statement, values: dict[str, Any], rounds: int) -> tuple[float, float]:
    """Return the milliseconds of the statement: the median, and the fastest run, which other work reaches least."""
    taken = []
    for turn in range(rounds + 5):
        started = time.perf_counter()
        statement.fetch(values)
        if turn >= 5:
            taken.append((time.perf_counter() - started) * 1000)
    return median(taken), min(taken)


def main() -> None:
    """Fill the world with `argv[1]` rows and measure each work `argv[2]` times."""
    rows, rounds = int(sys.argv[1]), int(sys.argv[2])
    if not Resource.objects.exists():
        fill(rows)
    latencies: dict[str, dict[str, tuple[float, float]]] = {}
    explained: dict[str, dict[str, str]] = {}
    for name, email in CALLERS.items():
        caller = Caller.of(User.objects.select_related("role").get(email=email))
        for work, ask in WORKS.items():
            statement, values = ask(caller)
            latencies.setdefault(work, {})[name] = latency(statement, values, rounds)
            explained.setdefault(work, {})[name] = statement.explain(values)
    sys.stdout.write(json.dumps({"latencies": latencies, "plans": explained}))


main()
