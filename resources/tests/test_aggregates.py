"""GET /resources/aggregate: counts and sums over what a list would show."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from resources import aggregates
from resources.access import Level
from resources.tests.factories import create_resource, create_type, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources/aggregate"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "total": {"type": "number", "x-index": True},
        "region": {"type": "string", "x-index": True},
        "due": {"type": "string", "format": "date"},
        "sent": {"type": "string", "format": "date-time"},
        "paid": {"type": "boolean", "x-index": True},
    },
}


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    """The owner's client; the owner has four invoices and a note."""
    create_type("invoice", schema=SCHEMA)
    rows: list[tuple[str, list[str], dict[str, Any]]] = [
        ("draft", ["a", "b"], {"total": 0.1, "region": "north", "due": "2026-03-01"}),
        ("draft", ["a"], {"total": 0.2, "region": "north", "paid": True}),
        ("sent", [], {"total": 100, "region": "south", "due": "2026-01-31", "sent": "2026-01-01T02:00:00+02:00"}),
        ("sent", [], {"region": "south"}),
    ]
    for place, (status, tags, data) in enumerate(rows):
        created = datetime(2026, 1 + place // 2, 1, tzinfo=UTC)
        create_resource(owner, type_id="invoice", status=status, tags=tags, data=data, created_at=created)
    create_resource(owner, name="note")
    return client_of(owner)


def answered(client: Client, **query: str) -> list[dict[str, Any]]:
    response = client.get(PATH, query)
    assert response.status_code == 200, response.content
    rows: list[dict[str, Any]] = response.json()["data"]
    return rows


def test_without_a_group_everything_is_one(client: Client) -> None:
    assert answered(client) == [{"group": {}, "count": 5}]
    assert answered(client, type="invoice") == [{"group": {}, "count": 4}]
    assert answered(client, status="nothing", measures="count,max:created_at") == [
        {"group": {}, "count": 0, "max:created_at": None}
    ]


def test_sums_are_exact_and_stand_beside_each_other(client: Client) -> None:
    measures = "sum:data.total,avg:data.total,min:data.total,max:data.due,min:data.sent,count"

    response = client.get(PATH, {"type": "invoice", "group": "status", "measures": measures})

    assert b'"sum:data.total" : 0.3,' in response.content
    assert response.json()["data"] == [
        {
            "group": {"status": "draft"},
            "sum:data.total": 0.3,
            "avg:data.total": 0.15,
            "min:data.total": 0.1,
            "max:data.due": "2026-03-01",
            "min:data.sent": None,
            "count": 2,
        },
        {
            "group": {"status": "sent"},
            "sum:data.total": 100,
            "avg:data.total": 100,
            "min:data.total": 100,
            "max:data.due": "2026-01-31",
            "min:data.sent": "2026-01-01T00:00:00.000000Z",
            "count": 2,
        },
    ]
    assert response.json()["meta"] == {"groups": 2, "truncated": False}


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("type", {("invoice",): 4}),
        ("visibility", {("private",): 4}),
        ("tag", {("a",): 2, ("b",): 1}),
        ("created_at:month", {("2026-01",): 2, ("2026-02",): 2}),
        ("created_at:day,status", {("2026-01-01", "draft"): 2, ("2026-02-01", "sent"): 2}),
        ("data.region", {("north",): 2, ("south",): 2}),
        ("data.paid", {(None,): 3, (True,): 1}),
        ("data.total", {(0.1,): 1, (0.2,): 1, (100,): 1, (None,): 1}),
    ],
)
def test_rows_are_grouped(client: Client, group: str, expected: dict[tuple[Any, ...], int]) -> None:
    rows = answered(client, type="invoice", group=group)

    assert {tuple(row["group"].values()): row["count"] for row in rows} == expected


@pytest.mark.parametrize(
    "query",
    [
        "count&sum:data.total&avg:data.total=",
        "count=true&sum=data.total&avg=data.total",
        "measures=count,sum:data.total&avg=data.total",
    ],
)
def test_measures_may_stand_by_themselves(client: Client, query: str) -> None:
    measures = "count,sum:data.total,avg:data.total"

    shown = client.get(f"{PATH}?type=invoice&{query}")

    assert shown.json()["data"] == answered(client, type="invoice", measures=measures)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("count=maybe", "count"),
        ("type=invoice&sum:data.nothing", "measures"),
        ("type=invoice&sum=", "sum"),
        ("type=invoice&sum=data.total,data.total", "measures"),
        ("measures=count&count", "measures"),
        ("median:data.total", "median:data.total"),
    ],
)
def test_what_is_no_measure_is_refused_by_itself_too(client: Client, query: str, field: str) -> None:
    answer = client.get(f"{PATH}?{query}")

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, field)


def test_the_filters_of_the_list_hold(client: Client) -> None:
    assert answered(client, type="invoice", **{"data.total__gte": "0.2"}) == [{"group": {}, "count": 2}]
    assert answered(client, type="invoice", tag="a") == [{"group": {}, "count": 2}]
    assert answered(client, q="note") == [{"group": {}, "count": 1}]
    assert answered(client, owner="me", access="owner") == [{"group": {}, "count": 5}]


def test_a_typing_error_counts_what_the_list_finds(client: Client, owner: User) -> None:
    for place in range(3):
        create_resource(owner, name=f"Zanzibar expedition {place}", status="active")
    listed = client.get("/api/v1/resources?q=Zanzibra").json()

    assert listed["meta"]["total"] == 3
    assert answered(client, q="Zanzibra") == [{"group": {}, "count": 3}]
    assert answered(client, q="Zanzibra", group="status") == [{"group": {"status": "active"}, "count": 3}]
    assert answered(client, q="Xylophone") == [{"group": {}, "count": 0}]


def test_everyone_counts_what_they_may_read(
    client: Client, client_of: ClientOf, owner: User, stranger: User, admin: User, anonymous: Client
) -> None:
    shared = create_resource(owner, type_id="invoice", data={"total": 7})
    share(shared, stranger, Level.VIEWER)
    create_resource(owner, type_id="invoice", data={"total": 1}, visibility="public")
    query = {"type": "invoice", "measures": "count,sum:data.total"}

    def figures(who: Client) -> tuple[int, float]:
        (row,) = answered(who, **query)
        return row["count"], row["sum:data.total"]

    assert figures(client_of(stranger)) == (2, 8)
    assert figures(anonymous) == (1, 1)
    assert figures(client_of(admin)) == figures(client) == (6, 108.3)


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"group": "name"}, "group", "unknown"),
        ({"group": "data.region"}, "type", "required"),
        ({"type": "nothing", "group": "data.region"}, "type", "does_not_exist"),
        ({"type": "invoice", "group": "data.due"}, "group", "not_indexed"),
        ({"type": "invoice", "group": "data.nothing"}, "group", "unknown"),
        ({"group": "status,status"}, "group", "max_length"),
        ({"group": "status,type,owner,tag"}, "group", "max_length"),
        ({"measures": "median:data.total"}, "measures", "unknown"),
        ({"measures": "sum"}, "measures", "unknown"),
        ({"measures": "sum:status"}, "measures", "unknown"),
        ({"measures": "sum:created_at"}, "measures", "unknown"),
        ({"type": "invoice", "measures": "sum:data.region"}, "measures", "wrong_type"),
        ({"type": "invoice", "measures": "max:data.paid"}, "measures", "wrong_type"),
        ({"type": "invoice", "measures": "max:data.nothing"}, "measures", "unknown"),
        ({"sort": "name"}, "sort", "unknown_parameter"),
        ({"page": "2"}, "page", "unknown_parameter"),
    ],
)
def test_what_cannot_be_measured_is_refused(client: Client, query: dict[str, str], field: str, code: str) -> None:
    response = client.get(PATH, query)

    detail = response.json()["error"]["details"][0]
    assert (response.status_code, detail["field"], detail["code"]) == (400, field, code)


def test_groups_are_bounded_and_so_is_what_is_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "MAX_GROUPS", 2)
    monkeypatch.setattr(aggregates, "MAX_ROWS", 4)
    aggregates.statement.cache_clear()
    try:
        response = client.get(PATH, {"type": "invoice", "group": "data.total"})
        assert len(response.json()["data"]) == 2
        assert response.json()["meta"] == {"groups": 4, "truncated": True}
        refused = client.get(PATH)
        assert (refused.status_code, refused.json()["error"]["details"][0]["code"]) == (400, "too_many_rows")
    finally:
        aggregates.statement.cache_clear()


@pytest.mark.usefixtures("sessions_read_once")
def test_an_aggregate_is_one_query_however_many_rows(
    client: Client, owner: User, django_assert_num_queries: Any
) -> None:
    client.get(PATH)
    for rows in (1, 20):
        for _ in range(rows):
            create_resource(owner)
        with django_assert_num_queries(1):
            assert answered(client, group="status,type,tag") != []


TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["count", "sum:data.total", "max:data.region", "data.region", "created_at:day", "%s", "{$q}", "'", "tag"]
    ),
)


@given(group=st.lists(TEXTS, max_size=4).map(",".join), measures=st.lists(TEXTS, max_size=4).map(",".join))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_question_is_answered_with_an_error_of_ours(client: Client, group: str, measures: str) -> None:
    response = client.get(PATH, {"type": "invoice", "group": group, "measures": measures})

    assert response.status_code in {200, 400}, response.content
