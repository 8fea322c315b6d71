"""x-index: indexes over data that a job builds, and the ranges and sorts that stand on them."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from core.models import Job
from core.permissions import SYSTEM, Caller
from resources import data_query, plans
from resources.models import Form, IndexState, Resource, TypeIndex
from resources.questions import Question, read_parameters
from resources.services import indexes, types
from resources.tests.factories import create_resource, create_type

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "x-index": True},
        "total": {"type": ["number", "null"], "x-index": True},
        "sent": {"type": "string", "format": "date-time", "x-index": True},
        "paid": {"type": "boolean", "x-index": True},
        "customer": {"type": "object", "properties": {'it\'s "odd"': {"type": "string", "x-index": True}}},
        "plain": {"type": "number"},
    },
}


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    """The owner's client."""
    return client_of(owner)


@pytest.fixture
def invoice(owner: User) -> None:
    """The type, with indexes that are promised and not built yet."""
    create_type("invoice", schema=SCHEMA)


def definitions() -> dict[str, str]:
    """Return the indexes over data that the database has, by name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'resources' AND starts_with(indexname, %s)",
            [indexes.PREFIX],
        )
        return dict(cursor.fetchall())


def states() -> dict[str, str]:
    return {row.dotted: row.state for row in TypeIndex.objects.all()}


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["data"]]


def walked(client: Client, query: dict[str, Any], *, back: bool = False) -> list[str]:
    """Return the names on every cursor page, one after the other; then the way back again."""
    found: list[str] = []
    cursor: Any = ""
    last = ""
    while cursor is not None:
        response = client.get(PATH, {**query, "cursor": cursor})
        found += names(response)
        last, cursor = cursor, response.json()["meta"]["next_cursor"]
    if not back:
        return found
    returned: list[str] = []
    cursor = last
    while cursor is not None:
        response = client.get(PATH, {**query, "cursor": cursor})
        returned = names(response) + returned
        cursor = response.json()["meta"]["previous_cursor"]
    return returned


def test_a_job_builds_what_the_schema_asks_for(invoice: None, drain: Callable[..., int]) -> None:
    assert set(states().values()) == {IndexState.BUILDING}

    drain()

    assert set(states().values()) == {IndexState.READY}
    # A text has two: one in its order, one of its parts.
    assert len(definitions()) == 7
    assert any("nook_number((data #> '{total}'::text[])), id) WHERE" in text for text in definitions().values())
    assert Job.objects.get(kind=indexes.KIND).state == "succeeded"


def test_an_index_goes_with_its_keyword_and_with_its_type(invoice: None, drain: Callable[..., int]) -> None:
    drain()

    changed = {"type": "object", "properties": {"total": {"type": "string", "x-index": True}}}
    types.change_type(actor=SYSTEM, key="invoice", changes={"schema": changed})
    drain()

    assert states() == {"data.total": IndexState.READY}
    assert all("nook_text" in text for text in definitions().values())
    assert len(definitions()) == 2

    types.delete_type(actor=SYSTEM, key="invoice")
    drain()

    assert (states(), definitions()) == ({}, {})


@pytest.mark.django_db(transaction=True)
def test_beside_other_work_an_index_is_built_and_what_was_left_half_built_is_made_anew(
    owner: User, drain: Callable[..., int]
) -> None:
    create_type("invoice", schema={"type": "object", "properties": {"total": {"type": "number", "x-index": True}}})
    for place in range(3):
        create_resource(owner, type_id="invoice", data={"total": place})
    (name,) = indexes.definitions(TypeIndex.objects.get())
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE INDEX "{name}" ON resources (name)')
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name])
        cursor.execute(f"CREATE INDEX {indexes.PREFIX}orphan ON resources (name)")

    drain()

    assert states() == {"data.total": IndexState.READY}
    assert list(definitions()) == [name]
    assert "nook_number" in definitions()[name]
    Resource.all_objects.all().delete()
    types.delete_type(actor=SYSTEM, key="invoice")
    drain()
    assert definitions() == {}


def test_a_failed_index_says_why_and_is_built_again_from_the_admin(
    invoice: None, admin: User, browser_of: Callable[[User], Client], drain: Callable[..., int]
) -> None:
    drain()
    row = TypeIndex.objects.get(path=["total"])
    TypeIndex.objects.filter(pk=row.pk).update(state=IndexState.FAILED, error="disk full")
    browser = browser_of(admin)

    page = browser.get("/admin/resources/typeindex/")
    assert b"disk full" in page.content
    browser.post("/admin/resources/typeindex/", {"action": "build_again", "_selected_action": [str(row.pk)]})
    drain()

    assert states()["data.total"] == IndexState.READY
    shown = browser.get(f"/admin/resources/resourcetype/{row.type_id}/change/")
    assert b"data.total: ready" in shown.content


@pytest.mark.parametrize(
    ("property_", "code"),
    [
        ({"type": "array", "x-index": True}, "wrong_type"),
        ({"x-index": True}, "wrong_type"),
        ({"type": "string", "x-index": "yes"}, "invalid"),
    ],
)
def test_x_index_stands_on_values_that_can_be_compared(
    admin: User, client_of: ClientOf, property_: Any, code: str
) -> None:
    schema = {"type": "object", "properties": {"a": property_}}

    response = client_of(admin).post("/api/v1/resource-types", {"key": "bad", "name": "Bad", "schema": schema})

    assert response.status_code == 400
    assert [detail["code"] for detail in response.json()["error"]["details"]] == [code]


def test_a_type_has_ten_indexes_at_most(admin: User, client_of: ClientOf) -> None:
    schema = {"type": "object", "properties": {f"p{n}": {"type": "number", "x-index": True} for n in range(11)}}

    response = client_of(admin).post("/api/v1/resource-types", {"key": "bad", "name": "Bad", "schema": schema})

    assert (response.status_code, response.json()["error"]["details"][0]["code"]) == (400, "too_many_indexes")


RANGES: list[tuple[dict[str, str], str]] = [
    ({"total__gt": "1"}, "cd"),
    ({"total__gte": "1", "total__lt": "20"}, "bc"),
    ({"total__lte": "1.0"}, "ab"),
    ({"total__ne": "1"}, "acde"),
    ({"total": "1"}, "b"),
    ({"total__in": "1,20"}, "bd"),
    ({"total__isnull": "true"}, "e"),
    ({"number__gte": "B"}, "bc"),
    ({"number__contains": "-00"}, "abc"),
    ({"sent__gt": "2026-01-01T09:59:59Z"}, "b"),
    ({"sent": "2026-01-01T10:00:00Z"}, "b"),
    ({"paid": "true", "total__gt": "5"}, "d"),
    ({"paid__ne": "true"}, "abce"),
]


@pytest.mark.parametrize("is_built", [False, True])
def test_ranges_stand_on_an_index_and_find_the_same_without_it(
    client: Client, owner: User, invoice: None, drain: Callable[..., int], is_built: bool
) -> None:
    if is_built:
        drain()
    rows: dict[str, dict[str, Any]] = {
        "a": {"total": -0.5, "number": "A-001"},
        "b": {"total": 1, "number": "B-002", "sent": "2026-01-01T12:00:00+02:00"},
        "c": {"total": 9.75, "number": "C-003", "sent": "2026-02-30T12:00:00Z"},
        "d": {"total": 20, "paid": True},
        "e": {"total": None},
    }
    for name, data in rows.items():
        create_resource(owner, name=name, type_id="invoice", data=data)

    for parameters, expected in RANGES:
        query = {f"data.{name}": value for name, value in parameters.items()}
        response = client.get(PATH, {"type": "invoice", "sort": "name", **query})

        assert ("".join(names(response)), parameters) == (expected, parameters)
        assert response.json()["meta"]["total"] == len(expected)


def test_while_an_index_is_built_a_big_type_is_not_searched_without_it(
    client: Client, owner: User, invoice: None, drain: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_query, "SMALL", 2)
    for place in range(3):
        create_resource(owner, type_id="invoice", data={"total": place})

    refused = client.get(PATH, {"type": "invoice", "data.total__gt": "1"})
    unsorted = client.get(PATH, {"type": "invoice", "sort": "data.total"})
    drain()

    assert [r.json()["error"]["details"][0]["code"] for r in (refused, unsorted)] == ["index_not_ready"] * 2
    assert client.get(PATH, {"type": "invoice", "data.total__gt": "1"}).json()["meta"]["total"] == 1
    assert client.get(PATH, {"type": "invoice", "sort": "data.total"}).json()["meta"]["total"] == 3


@pytest.mark.parametrize(
    ("sort", "code"),
    [
        ("data.plain", "not_indexed"),
        ("data.nothing", "unknown"),
        ("-data.", "unknown"),
        ("data.total,name", "conflict"),
        ("name,data.total", "conflict"),
    ],
)
def test_what_cannot_be_sorted_by_is_refused(client: Client, invoice: None, sort: str, code: str) -> None:
    response = client.get(PATH, {"type": "invoice", "sort": sort})

    assert (response.status_code, response.json()["error"]["details"][0]["code"]) == (400, code)
    assert client.get(PATH, {"sort": sort}).status_code == 400


TOTALS: list[Any] = [
    None,
    3,
    "0.1",
    3,
    -7,
    None,
    "12345678901234567890.123456789",
    "0.10000000000000000001",
    0,
    None,
    2,
]


@pytest.mark.parametrize("sort", ["data.total", "-data.total"])
def test_a_sort_by_data_walks_in_both_ways_and_ends_with_what_lacks_the_value(
    client: Client, owner: User, invoice: None, sort: str
) -> None:
    rows = [create_resource(owner, name=f"{place:02}", type_id="invoice") for place in range(len(TOTALS))]
    with connection.cursor() as cursor:
        for row, total in zip(rows, TOTALS, strict=True):
            # As text: a float would lose the digits that tell two of them apart.
            document = "{}" if total is None else f'{{"total": {total}}}'
            cursor.execute("UPDATE resources SET data = %s::jsonb WHERE id = %s", [document, row.id])
    sign = -1 if sort.startswith("-") else 1
    values = {row.name: (row.id.int, total) for row, total in zip(rows, TOTALS, strict=True)}
    expected = sorted(
        values,
        key=lambda name: (
            values[name][1] is None,
            sign * Decimal(values[name][1] or 0),
            sign * values[name][0],
        ),
    )
    query: dict[str, Any] = {"type": "invoice", "sort": sort}

    for size in (1, 2, 3, 4, 100):
        assert walked(client, {**query, "per_page": size}) == expected
        assert walked(client, {**query, "per_page": size}, back=True) == expected
    pages = [names(client.get(PATH, {**query, "per_page": 4, "page": page})) for page in (1, 2, 3, 4)]
    assert list(chain.from_iterable(pages)) == expected
    assert client.get(PATH, {**query, "per_page": 4, "page": 2}).json()["meta"]["total"] == len(TOTALS)


def test_long_texts_are_sorted_by_their_beginning_and_are_no_fault(
    client: Client, owner: User, invoice: None, drain: Callable[..., int]
) -> None:
    drain()
    for name, text in {"b": "\N{GRINNING FACE}" * 20_000, "a": "a" * 200_000, "c": "\x01" * 400}.items():
        data = {"number": text}
        answer = client.post(PATH, {"type": "invoice", "name": name, "data": data})
        assert answer.status_code == 201, answer.content

    assert walked(client, {"type": "invoice", "sort": "data.number", "per_page": 1}) == ["c", "a", "b"]


def test_a_cursor_of_another_schema_is_refused(client: Client, owner: User, invoice: None) -> None:
    for number in ("x", "y"):
        create_resource(owner, type_id="invoice", data={"number": number})
    query: dict[str, Any] = {"type": "invoice", "sort": "data.number", "per_page": 1}
    cursor = client.get(PATH, {**query, "cursor": ""}).json()["meta"]["next_cursor"]

    schema = {"type": "object", "properties": {"number": {"type": "number", "x-index": True}}}
    types.change_type(actor=SYSTEM, key="invoice", changes={"schema": schema}, force=True)

    assert client.get(PATH, {**query, "cursor": cursor}).status_code == 400


@pytest.fixture
def ten_thousand(owner: User, invoice: None, drain: Callable[..., int]) -> None:
    """Ten thousand invoices of the owner among as many things of theirs, all indexes built."""
    drain()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO resources (owner_id, type, name, data) "
            "SELECT %s, CASE place %% 2 WHEN 0 THEN 'invoice' ELSE 'item' END, md5(place::text), "
            "       jsonb_build_object('total', place, 'number', 'N-' || place) "
            "FROM generate_series(1, 20000) AS place",
            [owner.id],
        )
        cursor.execute("ANALYZE resources")


STANDS_ON: list[tuple[dict[str, str], tuple[str, str] | None]] = [
    ({"data.total__gte": "19990"}, ("total", "nook_number")),
    ({"data.number": "N-500"}, ("number", '"left"(')),
    ({"data.number__contains": "-1999"}, ("number", "gin_trgm_ops")),
    ({"sort": "data.total"}, ("total", "nook_number")),
    ({"sort": "-data.total"}, ("total", "nook_number")),
    ({"data.plain": "5"}, None),
]


@pytest.mark.usefixtures("ten_thousand")
def test_the_planner_takes_the_index(owner: User) -> None:
    present = definitions()
    for query, parts in STANDS_ON:
        parameters = {"type": ["invoice"], **{name: [value] for name, value in query.items()}}
        question = Question.of(Caller.of(owner), read_parameters(parameters))
        wanted = [name for name, text in present.items() if parts and all(part in text for part in parts)]
        for form in Form:
            listed = replace(question.listed, shape=replace(question.listed.shape, form=form))

            assert (wanted or ["idx_resources_data"])[0] in plans.page(listed).explain(question.values), query


NAMES = st.sampled_from(["total", "number", "sent", "paid", 'customer.it\'s "odd"', "plain"])
ENDS = st.sampled_from(["", "__gt", "__gte", "__lt", "__lte", "__ne", "__in", "__contains", "__isnull"])
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["1e400", "-0", "true", "9" * 90, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01"]),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}+14:00"),
)


@given(
    filters=st.dictionaries(st.tuples(NAMES, ENDS).map(lambda pair: f"data.{pair[0]}{pair[1]}"), VALUES, max_size=3),
    sort=st.one_of(st.none(), NAMES.map("data.{}".format), NAMES.map("-data.{}".format), st.text(max_size=20)),
    cursor=st.one_of(st.none(), st.just(""), st.text(max_size=30)),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_range_sort_or_cursor_is_answered_with_an_error_of_ours(
    client: Client, invoice: None, filters: dict[str, str], sort: str | None, cursor: str | None
) -> None:
    query = {**filters, "type": "invoice"}
    query.update({"sort": sort} if sort is not None else {})
    query.update({"cursor": cursor} if cursor is not None else {})

    response = client.get(PATH, query)

    assert response.status_code in {200, 400}, response.content
