"""An aggregate over what is shared reads the values that stand with the shares, and says what the resources would."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from accounts.tests.factories import create_user
from core.errors import ValidationFailed
from core.permissions import SYSTEM, Caller
from resources import aggregates, plans
from resources.access import Level
from resources.hits import FewRows
from resources.models import Form, Resource, ResourceType, Share
from resources.questions import Question, read_parameters
from resources.schemas.compiled import compiled
from resources.services import types
from resources.services.share_checks import mend, out_of_step
from resources.tests.factories import caller, create_resource, create_type, share
from resources.tests.test_access import world_of
from resources.tests.worlds import World, WorldSketch, worlds

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"
INDEXED: dict[str, dict[str, Any]] = {
    "region": {"type": "string", "x-index": True},
    "total": {"type": "number", "x-index": True},
    "sent": {"type": "string", "format": "date-time", "x-index": True},
    "paid": {"type": "boolean", "x-index": True},
    "plain": {"type": "number"},
}


def schema(**changed: Any) -> dict[str, Any]:
    """A schema with these properties in place of the ones above; None takes one away."""
    properties = {name: one for name, one in {**INDEXED, **changed}.items() if one is not None}
    nested = {"type": "object", "properties": {"0": {"type": "string", "x-index": True}}}
    return {"type": "object", "properties": {**properties, "customer": nested}}


WORKFLOW = {
    "initial": "draft",
    "states": ["active", "draft", "sent"],
    "transitions": [{"name": "send", "from": ["draft"], "to": "sent", "allow": ["editor"]}],
}
OTHERS: list[dict[str, Any]] = [
    schema(region={**INDEXED["region"], "x-read": ["admin"]}),
    schema(region={"type": "string"}),
    schema(plain={"type": "number", "x-index": True}),
    schema(total={"type": "string", "x-index": True}),
    schema(total=None, customer=None),
]
QUESTIONS: list[tuple[str, str]] = [
    ("", "count,sum:data.total"),
    ("data.region,status", "count,sum:data.total,avg:data.total,min:data.sent,max:data.region"),
    ("data.paid,data.customer.0", "count,min:created_at"),
    ("data.sent,owner", "max:data.total"),
    ("type,visibility,created_at:day", "count"),
    ("status", "sum:data.plain,max:updated_at"),
    ("data.total", "count"),
]


LISTS: list[dict[str, str]] = [
    {"sort": "data.total"},
    {"sort": "-data.region", "page": "2"},
    {"sort": "-data.sent", "data.total__gte": "0", "status": "active"},
    {"data.region__in": "N,,2026-01-01T10:00:00+02:00", "visibility": "private"},
    {"data.paid__isnull": "false", "sort": "name"},
    {"data.region__ne": "N", "sort": "data.customer.0"},
    {"data.region__contains": "ééé", "sort": "data.total"},
    {"data.total__lt": "5", "data.plain__gt": "0"},
]


@pytest.fixture(autouse=True)
def note(db: None) -> ResourceType:
    """The type that is asked about."""
    return create_type("note", schema=schema(), workflow=WORKFLOW)


def asked(
    who: Caller,
    group: str,
    measures: str,
    *,
    form: Form = Form.UNION,
    filters: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Any, str]:
    """Return the answer as its bytes, and the statement that gave it; UNION is for who sees little, OR tests rows."""
    query = {"type": "note", **filters}
    question = Question.of(who, read_parameters({name: [one] for name, one in query.items()}), asks_of_data=True)
    listed = replace(question.listed, shape=replace(question.listed.shape, form=form))
    groups = tuple(aggregates.grouping(name, question) for name in group.split(",") if name)
    measured = tuple(aggregates.measure(name, question) for name in measures.split(","))
    statement = aggregates.statement(listed, groups, measured)
    row = statement.fetch(question.values)
    assert row is not None
    return row[0], statement.text


def answered(who: Caller, group: str, measures: str, *, form: Form = Form.UNION) -> Any:
    """Return the answer, or None where the question is refused."""
    try:
        return asked(who, group, measures, form=form)[0]
    except ValidationFailed:
        return None


def listed_as(who: Caller, asked_for: dict[str, str], *, form: Form) -> Any:
    """Return the page and its total, as looked at row by row where UNION says so; None where the list is refused."""
    query = {"type": "note", "fields": "id,data,status", "per_page": "4", **asked_for}
    try:
        question = Question.of(who, read_parameters({name: [one] for name, one in query.items()}))
    except ValidationFailed:
        return None
    listed = replace(question.listed, shape=replace(question.listed.shape, form=form))
    statement = plans.page(listed, is_first="page" not in query)
    if isinstance(statement, FewRows):
        row = statement.attempts[-1].fetch(question.values)
        assert row is not None
        assert row[-1] == b"1"
        assert ("resource_data" in statement.attempts[-1].text) is bool(listed.kept_since)
        return row[:-1]
    return statement.fetch(question.values)


def plan_since() -> int:
    """Return since which version of its schema the type's shares keep what they do; 0 where they keep nothing."""
    plan = ResourceType.objects.get(key="note").share_plan
    return int(plan["since"]) if plan else 0


def kept(row: Share) -> tuple[Any, Any, Any]:
    row.refresh_from_db()
    return row.resource_status, row.resource_data, row.resource_data_since


def change(rules: dict[str, Any]) -> None:
    types.change_type(actor=SYSTEM, key="note", changes={"schema": rules}, force=True)


@contextmanager
def past_the_triggers() -> Iterator[None]:
    """Write as nobody does: as an earlier release left it, or a table that was loaded by itself."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["", "é" * 299 + "ab", "é" * 299 + "ac", "2026-01-01T10:00:00+02:00", "2026-02-30T10:00:00Z", "N"]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from(["0", "a"]), SCALARS))
DATA = st.dictionaries(st.sampled_from([*INDEXED, "customer", "other"]), VALUES, max_size=6)
STATUSES = st.sampled_from(["active", "draft"])


@dataclass(frozen=True, slots=True)
class Life:
    """What becomes of a resource: its data at first and after it was shared, its status then, and whether it goes."""

    first: dict[str, Any]
    then: dict[str, Any] | None
    status: str
    is_gone: bool


GOES = st.sampled_from([False, False, False, True])
LIVES = st.builds(Life, DATA, st.none() | DATA, STATUSES, GOES)

FEW: dict[str, list[Any]] = {
    "region": ["N", "M", "é" * 299 + "ab", 7, None],
    "total": [0, 1, 2.5, 7, "x"],
    "sent": ["2026-01-01T10:00:00+02:00", "2026-01-01T08:00:00Z", "2027-01-01T00:00:00Z"],
    "paid": [True, False],
    "customer": [{"0": "A"}, {"0": "B"}, {"0": 1}, "C"],
    "plain": [1],
}
COMMON_DATA = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in FEW.items()})
"""Values of which many match what is asked, and whose order tells."""

COMMON_LIVES = st.builds(Life, COMMON_DATA, st.none() | COMMON_DATA, STATUSES, GOES)


@dataclass(frozen=True, slots=True)
class Shared:
    """Resources and shares, as a world has them."""

    resources: list[Resource]
    shares: list[Share]


def live(world: World | Shared, lives: list[Life], others: list[dict[str, Any]], stale: int) -> None:
    """Let the resources of the world change, and their type; of every `stale`th share nothing was ever copied."""
    for row, life in zip(world.resources, lives, strict=False):
        Resource.objects.filter(pk=row.pk).update(data=life.first)
    for number, rules in enumerate(others):
        change(rules)
        for row, life in list(zip(world.resources, lives, strict=False))[number::2]:
            Resource.objects.filter(pk=row.pk).update(data=life.then or life.first, status=life.status)
    for row, life in zip(world.resources, lives, strict=False):
        if life.is_gone:
            Resource.objects.filter(pk=row.pk).update(deleted_at=row.created_at)
    if stale:
        with past_the_triggers():
            ids = [one.pk for one in world.shares[::stale]]
            Share.objects.filter(pk__in=ids).update(resource_status=None, resource_data=None, resource_data_since=None)


@given(
    sketch=worlds(),
    lives=st.lists(LIVES, min_size=5, max_size=5),
    others=st.lists(st.sampled_from([schema(), *OTHERS]), max_size=2),
    stale=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_copies_answer_as_the_resources_do_whatever_has_become_of_them(
    sketch: WorldSketch, lives: list[Life], others: list[dict[str, Any]], stale: int
) -> None:
    compiled.cache_clear()  # of the world before, in which the same version said something else
    with world_of(sketch) as world:
        live(world, lives, others, stale)
        for who in world.callers():
            for question in QUESTIONS:
                assert answered(who, *question) == answered(who, *question, form=Form.OR), question
        assert not out_of_step().filter(resource_data_since=plan_since())
        mend()
        assert not out_of_step()


@given(
    lives=st.lists(COMMON_LIVES, min_size=6, max_size=6),
    others=st.lists(st.sampled_from([schema(), *OTHERS]), max_size=1),
    stale=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lists_of_what_is_shared_are_the_same_from_the_copies(
    owner: User, stranger: User, lives: list[Life], others: list[dict[str, Any]], stale: int
) -> None:
    compiled.cache_clear()
    with transaction.atomic():
        received = [received_note(owner, stranger) for _ in lives[1:]]
        own = create_resource(stranger, type_id="note")
        live(Shared([*(one.resource for one in received), own], received), lives, others, stale)
        for one in LISTS:
            expected = listed_as(caller(stranger), one, form=Form.OR)
            assert listed_as(caller(stranger), one, form=Form.UNION) == expected, one
        transaction.set_rollback(True)


@pytest.fixture
def received(owner: User, stranger: User) -> Share:
    """A note of the owner that the stranger may change."""
    return received_note(owner, stranger)


def received_note(owner: User, receiver: User) -> Share:
    data = {"region": "north", "total": 3, "plain": 7, "customer": {"0": "C"}, "other": "o"}
    return share(create_resource(owner, type_id="note", status="draft", data=data), receiver, Level.EDITOR)


COPIED = {"region": "north", "total": 3, "customer": {"0": "C"}}
BY_REGION = ("data.region,status", "count,sum:data.total")


def test_a_share_keeps_the_status_and_what_has_an_index(received: Share, stranger: User) -> None:
    answer, statement = asked(caller(stranger), *BY_REGION)

    assert kept(received) == ("draft", COPIED, 1)
    assert b'"data.region" : "north", "status" : "draft"' in answer
    assert "resource_data" in statement
    assert "ANY(ARRAY(" not in statement


@pytest.mark.parametrize(
    ("group", "measures"), [("data.region", "sum:data.plain"), ("tag", "count"), ("updated_at:day", "count")]
)
def test_what_shares_do_not_have_is_read_from_the_resources(
    received: Share, stranger: User, group: str, measures: str
) -> None:
    answer, statement = asked(caller(stranger), group, measures)

    assert "resource_data" not in statement
    assert answer == asked(caller(stranger), group, measures, form=Form.OR)[0]


def test_a_filter_reads_the_resources(received: Share, stranger: User) -> None:
    answer, statement = asked(caller(stranger), *BY_REGION, filters={"data.total__gt": "2"})

    assert "resource_data" not in statement
    assert b'"count" : 1' in answer


def test_every_write_is_followed(
    received: Share, owner: User, stranger: User, admin: User, client_of: ClientOf
) -> None:
    note, who = f"{PATH}/{received.resource_id}", caller(stranger)
    updated_at = received.updated_at

    def figures() -> Any:
        assert not out_of_step()
        by_http = client_of(stranger).get(f"{PATH}/aggregate?type=note&group=data.region&sum=data.total&count")
        assert answered(who, *BY_REGION) == answered(who, *BY_REGION, form=Form.OR)
        return [(row["group"]["data.region"], row["sum:data.total"]) for row in by_http.json()["data"]]

    assert figures() == [("north", 3)]
    assert client_of(stranger).patch(note, {"data": {"total": 4.5, "region": "south"}}).status_code == 200
    assert figures() == [("south", 4.5)]
    assert client_of(stranger).post(f"{note}/transitions/send").status_code == 200
    assert (figures(), kept(received)[0]) == ([("south", 4.5)], "sent")
    assert client_of(owner).delete(note).status_code == 204
    assert figures() == []
    assert client_of(owner).post(f"{note}/restore").status_code == 200
    assert len(figures()) == 1
    assert received.updated_at == updated_at
    heir = create_user()
    transfer = client_of(owner).post(f"{note}/transfer", {"owner": str(heir.id)})
    assert (transfer.status_code, figures(), Share.objects.exists()) == (200, [], False)


def test_shares_are_written_when_what_they_keep_has_changed_and_only_then(received: Share) -> None:
    def written() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT xmin::text::bigint, ctid::text FROM shares WHERE id = %s", [received.pk])
            return hash(cursor.fetchone())

    row = Resource.objects.filter(pk=received.resource_id)
    data = row.get().data
    before = written()
    for unimportant in ({"name": "Other"}, {"data": {**data, "plain": 8, "other": "p"}}, {"tags": ["a"], "version": 9}):
        row.update(**unimportant)
        assert written() == before

    row.update(data={**data, "total": 3.25})

    assert written() != before
    assert kept(received)[1] == {**COPIED, "total": 3.25}


def test_nobody_writes_what_a_share_keeps(received: Share) -> None:
    Share.objects.filter(pk=received.pk).update(resource_data={"total": 9}, resource_status="paid")

    assert kept(received) == ("draft", COPIED, 1)


def test_what_is_too_much_for_a_copy_is_read_from_the_resource(received: Share, stranger: User) -> None:
    who, row = caller(stranger), Resource.objects.filter(pk=received.resource_id)
    wide = {"region": "\N{GRINNING FACE}" * 400, "total": 3}

    row.update(data=wide)

    assert kept(received) == ("draft", None, None)
    answer, statement = asked(who, *BY_REGION)
    assert "resource_data" in statement
    assert answer == answered(who, *BY_REGION, form=Form.OR)
    assert ("\N{GRINNING FACE}" * 300).encode() in answer
    row.update(data={**wide, "region": "r" * 400})
    assert kept(received)[1] == {"region": "r" * 300, "total": 3}
