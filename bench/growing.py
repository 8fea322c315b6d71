"""Run inside a world: fill it if it is empty, and print, as JSON, who asks there, the statements and their plans.

The callers have the same rows with the same values in a world of any size; what grows is what others have.
"""

import json
import os
import sys
from typing import Any, Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from django.db import connection, transaction  # noqa: E402  # after the setup

from accounts.models import User  # noqa: E402
from accounts.tests.factories import create_session  # noqa: E402
from accounts.tokens import AccessToken  # noqa: E402
from bench.asked import ASKED, BARE, CALLERS, FEW, GROUPED, MANY, SHARED, SUMMED, TYPE, Asked  # noqa: E402
from core.identifiers import uuid7  # noqa: E402
from core.jobs import Work  # noqa: E402
from core.permissions import SYSTEM, Caller  # noqa: E402
from core.plans import Statement  # noqa: E402
from resources import aggregates, plans  # noqa: E402
from resources.demo.loading import indexes_later, refresh_statistics  # noqa: E402
from resources.demo.people import demo_users  # noqa: E402
from resources.hits import FewRows  # noqa: E402
from resources.models import Form, Resource  # noqa: E402
from resources.questions import Question, read_parameters  # noqa: E402
from resources.services import indexes, types  # noqa: E402
from resources.shapes import Shape  # noqa: E402

_PEOPLE: Final = 100
_FEW, _MANY = 20, 2_000
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "x-index": True},
        "total": {"type": "number", "x-index": True},
        "region": {"type": "string", "x-index": True},
        "word": {"type": "string"},
    },
}
# Without triggers: they would take an hour for a million rows, and write what is written here. `own` counts the rows of
# one caller, so that each has the same values in every world; nobody else has those.
_FILL: Final = """
SET LOCAL session_replication_role = replica;
SET LOCAL statement_timeout = 0;
INSERT INTO resources (created_at, updated_at, type, owner_id, name, data, search)
SELECT now() - make_interval(secs => %(rows)s - place), now(), %(type)s, owner, 'Thing ' || place,
       jsonb_build_object('number', 'N-' || own, 'total', own * 0.25, 'region', 'r' || own %% 10, 'word', 'w' || own),
       to_tsvector('nook', concat_ws(' ', 'Thing', place, 'N-' || own, 'w' || own, 'c' || own %% 10))
FROM (SELECT place,
             CASE WHEN place %% (%(rows)s / %(few)s) = 3 THEN %(few_owner)s::uuid
                  WHEN place %% (%(rows)s / %(many)s) = 1 THEN %(many_owner)s::uuid
                  ELSE (%(people)s::uuid[])[1 + place %% cardinality(%(people)s::uuid[])] END AS owner,
             CASE WHEN place %% (%(rows)s / %(few)s) = 3 THEN 400 + place / (%(rows)s / %(few)s)
                  WHEN place %% (%(rows)s / %(many)s) IN (1, 2) THEN place / (%(rows)s / %(many)s)
                  ELSE 10000 + place END AS own
      FROM generate_series(1, %(rows)s) AS place) AS made
"""
_SHARE: Final = """
SET LOCAL session_replication_role = origin;
INSERT INTO shares (id, resource_id, user_id, access, given_by_id)
SELECT nook_uuid7(), id, %(receiver)s, 1, owner_id FROM resources
WHERE split_part(name, ' ', 2)::integer %% (%(rows)s / %(many)s) = 2;
INSERT INTO shares (id, resource_id, user_id, access, given_by_id)
SELECT nook_uuid7(), id, receiver, 1, owner_id
FROM (SELECT id, owner_id, (%(people)s::uuid[])[1 + place %% 89 %% cardinality(%(people)s::uuid[])] AS receiver
      FROM (SELECT id, owner_id, split_part(name, ' ', 2)::integer AS place FROM resources) AS placed
      WHERE place %% 20 = 8) AS others
WHERE receiver <> owner_id
"""
_BY_IDS: Final = f"""
SELECT nook_text(data #> '{{{GROUPED}}}'), count(*), sum(nook_number(data #> '{{{SUMMED}}}'))
FROM resources WHERE id = ANY($1::uuid[]) GROUP BY 1
"""  # noqa: S608  # names of ours


def fill(rows: int) -> None:
    """Make the people, the type and the rows, and build the indexes."""
    people = {user.email: user.id for user in demo_users(_PEOPLE, password="not-asked-for")}  # noqa: S106  # nobody signs in
    types.create_type(actor=SYSTEM, new=types.NewType(TYPE, "Measured", schema=_SCHEMA))
    values: dict[str, Any] = {
        "rows": rows,
        "type": TYPE,
        "people": [user_id for email, user_id in people.items() if email not in CALLERS.values()],
        "few": _FEW,
        "few_owner": people[CALLERS[FEW]],
        "many": _MANY,
        "many_owner": people[CALLERS[MANY]],
        "receiver": people[CALLERS[SHARED]],
    }
    with transaction.atomic(), indexes_later(rebuild=True), connection.cursor() as cursor:
        cursor.execute(_FILL, values)
        cursor.execute(_SHARE, values)
    work = Work(job_id=uuid7(), owner_id=None, parameters={}, checkpoint={})
    while indexes.build_next(work) is None:
        pass
    refresh_statistics()


def statement_of(asked: Asked, caller: Caller, resource: str) -> tuple[Statement | FewRows, dict[str, Any]]:
    """Return the statement that answers, and what fills its slots."""
    if asked.path == "/resources/{id}":
        values = {"user": caller.id, "role": caller.role, "id": resource}
        return plans.detail(Shape(plans.slotted(caller.permissions, is_anonymous=False), Form.EACH)), values
    of_rows = {name: [value] for name, value in asked.parameters.items() if name not in {"group", "measures"}}
    question = Question.of(caller, read_parameters(of_rows), asks_of_data="group" in asked.parameters)
    if "group" in asked.parameters:
        groups = (aggregates.grouping(asked.parameters["group"], question),)
        measures = tuple(aggregates.measure(name, question) for name in asked.parameters["measures"].split(","))
        return aggregates.statement(question.listed, groups, measures), question.values
    if "cursor" in asked.parameters:
        return plans.cursor_page(question.listed, is_start=True, is_backward=False), question.values
    return plans.page(question.listed), question.values


def described(email: str) -> dict[str, Any]:
    """Return the caller's token and a resource they ask for; for each question, its statement, values and plan."""
    user = User.objects.select_related("role").get(email=email)
    caller, session = Caller.of(user), create_session(user)
    first = Resource.objects.visible_to(caller).order_by("id").first()
    resource = str((first or Resource.objects.all()[0]).id)
    told: dict[str, Any] = {
        "token": str(AccessToken.of(session, user, authenticated_at=session.authenticated_at)),
        "resource": resource,
        "sees": first is not None,
        "statements": {},
    }
    for asked in ASKED:
        found, values = statement_of(asked, caller, resource)
        statement = found.chosen(values) if isinstance(found, FewRows) else found
        slots = [str(values[name]) for name in statement.slots]
        told["statements"][asked.name] = (statement.text, slots, statement.explain(values))
    told["statements"][BARE] = (_BY_IDS, [f"{{{','.join(_seen_by(caller))}}}"], "")
    return told


def _seen_by(caller: Caller) -> list[str]:
    return [
        str(number) for number in Resource.objects.visible_to(caller).filter(type=TYPE).values_list("id", flat=True)
    ]


def main() -> None:
    """Fill the world with `argv[1]` rows, and describe it."""
    if not Resource.objects.exists():
        fill(int(sys.argv[1]))
    # A run may take longer than a quarter of an hour.
    AccessToken.lifetime *= 24
    sys.stdout.write(json.dumps({name: described(email) for name, email in CALLERS.items()}))


main()
