"""A filter over data that leaves few rows is answered by testing each of them: the same rows as by parts."""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings

from accounts.models import User
from core.permissions import Caller
from core.plans import Statement
from resources import hits, plans
from resources.access import Level
from resources.hits import FewRows
from resources.models import Form, Resource, ResourceType
from resources.questions import Question, read_parameters
from resources.tests.factories import caller, create_resource, create_type, share
from resources.tests.test_access import world_of
from resources.tests.worlds import WorldSketch, worlds
from resources.walks import ids_of, unseen, whole_in_parts

pytestmark = pytest.mark.django_db

SCHEMA = {"type": "object", "properties": {"number": {"type": "string", "x-index": True}}}


@pytest.fixture(autouse=True)
def note_type() -> ResourceType:
    """The type that is asked about."""
    return create_type("note", schema=SCHEMA)


def asked(who: Caller, **parameters: str) -> Question:
    """Return the question as it is asked where little is open to all."""
    query = {"type": "note", "data.number": "N-1", **parameters}
    question = Question.of(who, read_parameters({name: [value] for name, value in query.items()}))
    listed = replace(question.listed, shape=replace(question.listed.shape, form=Form.UNION))
    return replace(question, listed=listed)


def found(question: Question) -> tuple[list[str], int]:
    row = plans.page(question.listed, is_first=not question.values["offset"]).fetch(question.values)
    assert row is not None
    return [item["id"] for item in json.loads(row[0] or b"")], int(row[1] or 0)


@given(sketch=worlds())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_rows_of_an_index_are_shown_to_whom_the_rules_let_read_them(sketch: WorldSketch) -> None:
    with world_of(sketch) as world:
        for row in world.resources[::2]:
            Resource.objects.filter(pk=row.pk).update(data={"number": "N-1"})
        for who in world.callers():
            expected = sorted(
                str(row.id)
                for row in world.resources[::2]
                if row.type_id == "note" and world.level(who, row) >= Level.VIEWER
            )
            ids, total = found(asked(who))

            assert (sorted(ids), total) == (expected, len(expected))


def test_few_hits_are_sorted_and_paged_as_any_list(owner: User, stranger: User) -> None:
    rows = [create_resource(owner, type_id="note", name=f"Note {n}", data={"number": "N-1"}) for n in range(7)]
    for row in rows[:5]:
        share(row, stranger, Level.VIEWER)
    ids = [str(row.id) for row in rows[:5]]

    assert found(asked(caller(stranger))) == (ids[::-1], 5)
    assert found(asked(caller(stranger), sort="name", per_page="2", page="2")) == (ids[2:4], 5)

    question = asked(caller(stranger), sort="name", per_page="2", cursor="")
    first: Any = plans.cursor_page(question.listed, is_start=True, is_backward=False)
    start = first.fetch(question.values)
    edge = json.loads(start[1])[1]
    second: Any = plans.cursor_page(question.listed, is_start=False, is_backward=False)
    then = second.fetch({**question.values, "key0": edge[0], "key1": edge[1]})

    assert [isinstance(one, FewRows) for one in (first, second)] == [True, True]
    assert [item["id"] for item in json.loads(start[0])] == ids[:2]
    assert [item["id"] for item in json.loads(then[0])] == ids[2:4]
    assert len(json.loads(then[1])) == 3


@pytest.mark.parametrize(
    ("mine", "others", "way"),
    [(hits.FEW_MINE, 2_000, 0), (hits.FEW_MINE + 1, 0, 0), (hits.FEW_MINE + 1, 200, 1), (hits.MOST_MINE + 1, 0, 2)],
)
def test_what_there_is_less_of_is_looked_at(owner: User, stranger: User, mine: int, others: int, way: int) -> None:
    for who, number in ((stranger, mine), (owner, others)):
        rows = (Resource(owner=who, type_id="note", name="Note", data={"number": "N-1"}) for _ in range(number))
        Resource.objects.bulk_create(rows)
    question = asked(caller(stranger))
    statement = plans.page(question.listed)

    assert isinstance(statement, FewRows)
    assert statement.chosen(question.values) is (*statement.attempts, statement.by_parts)[way]
    ids, total = found(question)
    assert (len(set(ids)), total) == (20, mine)


def test_whose_rows_the_planner_does_not_see_it_takes_for_the_owner_of_few(owner: User, stranger: User) -> None:
    for who, number in ((owner, 5_000), (stranger, 50)):
        rows = (Resource(owner=who, type_id="note", name="Note", data={"number": "N-1"}) for _ in range(number))
        Resource.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE resources")
    asker = asked(caller(stranger)).listed.shape.asker

    own = Statement("EXPLAIN (FORMAT JSON) {own}", own=ids_of(whole_in_parts(unseen(asker))[0]))
    row = own.fetch({"user": stranger.pk})

    # Of two owners each has half of all rows on average; for as many the whole table would be read.
    assert row is not None
    assert json.loads(row[0] or b"")[0]["Plan"]["Plan Rows"] < 100


@pytest.mark.parametrize(
    ("words", "is_common"), [("note", True), ("note rare", False), ("Nöte", True), ("-note", True)]
)
def test_words_that_many_rows_hold_are_not_looked_up_in_vain(stranger: User, words: str, is_common: bool) -> None:
    mine = (Resource(owner=stranger, type_id="note", name="Note") for _ in range(hits.FEW_MINE + 1))
    Resource.objects.bulk_create(mine)
    question = Question.of(caller(stranger), read_parameters({"q": [words]}))
    listed = replace(question.listed, shape=replace(question.listed.shape, form=Form.UNION))
    statement, before = plans.page(listed), found(replace(question, listed=listed))
    assert isinstance(statement, FewRows)
    assert statement.chosen(question.values) is statement.attempts[0]

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE resources")
        cursor.execute("UPDATE pg_class SET reltuples = 1000000 WHERE oid = 'resources'::regclass")

    assert (statement.chosen(question.values) is statement.by_parts) is is_common
    assert found(replace(question, listed=listed)) == before


@given(sketch=worlds())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_list_that_is_sorted_by_data_shows_and_counts_what_the_rules_let_read(sketch: WorldSketch) -> None:
    with world_of(sketch) as world:
        for place, row in enumerate(world.resources):
            Resource.objects.filter(pk=row.pk).update(data={"number": f"N-{place}"} if place % 2 else {})
        for who in world.callers():
            readable = [n for n, row in enumerate(world.resources) if world.level(who, row) >= Level.VIEWER]
            notes = [n for n in readable if world.resources[n].type_id == "note"]
            expected = [n for n in notes if n % 2] + [n for n in notes if not n % 2]
            question = Question.of(who, read_parameters({"type": ["note"], "sort": ["data.number"]}))
            listed = replace(question.listed, shape=replace(question.listed.shape, form=Form.UNION))

            assert found(replace(question, listed=listed)) == (
                [str(world.resources[n].id) for n in expected],
                len(expected),
            )
