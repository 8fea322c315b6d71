from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from core.models import OutboxRow
from core.tests.api.answers import details_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("core.tests.api.probe")]

Rows = list[OutboxRow]


@pytest.fixture
def rows() -> Rows:
    return OutboxRow.objects.bulk_create(
        OutboxRow(task=f"task.{number // 2}", queue="bulk" if number % 3 else "default") for number in range(7)
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("colour=red", ("colour", "unknown_parameter")),
        ("__class__=x", ("__class__", "unknown_parameter")),
        ("page=0", ("page", "min_value")),
        ("page=-1", ("page", "min_value")),
        ("page=1e9", ("page", "invalid")),
        ("page=" + "9" * 5000, ("page", "max_string_length")),
        ("page=99999999999", ("page", "max_value")),
        ("page=", ("page", "invalid")),
        ("page=1&page=2", ("page", "repeated")),
        ("per_page=0", ("per_page", "min_value")),
        ("per_page=101", ("per_page", "max_value")),
        ("per_page=1.5", ("per_page", "invalid")),
        ("sort=__class__", ("sort", "unknown")),
        ("sort=-task,colour", ("sort", "unknown")),
        ("sort=task,-task", ("sort", "repeated")),
        ("sort=", ("sort", "blank")),
        ("fields=id,password", ("fields", "unknown")),
        ("fields=data", ("fields", "unknown")),
        ("include=colour", ("include", "unknown")),
        ("cursor=abc", ("cursor", "invalid")),
        ("cursor=%F0%9F%98%80", ("cursor", "invalid")),
        ("cursor=&page=1", ("page", "conflict")),
        ("queue=%00", ("queue", "null_characters_not_allowed")),
        ("queue=%FF", None),
        ("since=0000-00-00", ("since", "invalid")),
        ("since=99999-01-01T00:00:00Z", ("since", "invalid")),
        ("%00=1", (None, "unknown_parameter")),
    ],
)
def test_a_wrong_parameter_is_named(anonymous: Client, query: str, expected: tuple[str | None, str] | None) -> None:
    response = anonymous.get(f"/api/v1/rows?{query}")

    if expected is None:
        assert response.status_code == 200
    else:
        assert details_of(response) == [expected]


def test_pages_past_ten_thousand_rows_point_to_the_cursor(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/rows?page=101&per_page=100")

    assert details_of(response) == [("page", "max_value")]
    assert "cursor" in response.json()["error"]["details"][0]["message"]


def test_a_parameter_for_an_operation_that_takes_none_is_refused(anonymous: Client) -> None:
    assert details_of(anonymous.get("/api/v1/notes?page=1")) == [("page", "unknown_parameter")]


def test_more_parameters_than_django_reads_are_refused(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/rows?" + "&".join(f"a{number}=1" for number in range(1500)))

    assert response.status_code == 400


def test_parameters_that_cannot_be_declared_are_read_by_the_query(anonymous: Client) -> None:
    assert anonymous.get("/api/v1/dynamic?data.total=5").json()["data"] == {"data.total": 5}
    assert details_of(anonymous.get("/api/v1/dynamic?data.total=x&colour=1&data.a=1&data.a=2")) == [
        ("colour", "unknown_parameter"),
        ("data.a", "repeated"),
        ("data.total", "invalid"),
    ]


def test_a_page_tells_how_many_there_are(anonymous: Client, rows: Rows) -> None:
    response = anonymous.get("/api/v1/rows?page=2&per_page=3")

    assert response.json()["meta"] == {"page": 2, "per_page": 3, "total": 7, "total_pages": 3}
    assert [row["task"] for row in response.json()["data"]] == ["task.1", "task.2", "task.2"]


def test_an_empty_list_has_no_pages(anonymous: Client) -> None:
    response = anonymous.get("/api/v1/rows")

    assert response.json() == {
        "success": True,
        "data": [],
        "meta": {"page": 1, "per_page": 20, "total": 0, "total_pages": 0},
    }


def test_a_total_past_ten_thousand_is_an_estimate(anonymous: Client) -> None:
    OutboxRow.objects.bulk_create((OutboxRow(task="many", queue="bulk") for _ in range(10_001)), batch_size=5000)

    meta = anonymous.get("/api/v1/rows?per_page=100").json()["meta"]

    assert meta["total_is_estimate"] is True
    assert meta["total"] >= 10_001


def test_fields_trim_every_item(anonymous: Client, rows: Rows) -> None:
    response = anonymous.get("/api/v1/rows?per_page=1&fields=task,data.queue")

    assert response.json()["data"] == [{"task": "task.0", "data": {"queue": "default"}}]


def page(client: Client, **parameters: Any) -> Any:
    return client.get("/api/v1/rows", parameters).json()


def pages(client: Client, *, start: str = "", onward: str = "next_cursor", **parameters: Any) -> Iterator[Any]:
    """Yield page after page, from a cursor to the end of the list."""
    cursor: str | None = start
    while cursor is not None:
        body = page(client, cursor=cursor, per_page=2, **parameters)
        yield body
        cursor = body["meta"][onward]


@pytest.mark.parametrize("sort", ["task", "-task", "queue,-task", "-queue,task", "sent", "-sent", "-sent,task"])
def test_a_cursor_walks_the_list_in_the_order_of_its_pages(anonymous: Client, rows: Rows, sort: str) -> None:
    OutboxRow.objects.filter(pk__in=[row.pk for row in rows[:3]]).update(dispatched_at="2026-01-01T00:00:00Z")

    by_page = [row["id"] for row in anonymous.get(f"/api/v1/rows?sort={sort}").json()["data"]]

    assert [row["id"] for body in pages(anonymous, sort=sort) for row in body["data"]] == by_page
    assert sorted(by_page) == [row.pk for row in rows]


@pytest.mark.parametrize("sort", ["task", "-sent,task"])
def test_a_cursor_walks_back_the_way_it_came(anonymous: Client, rows: Rows, sort: str) -> None:
    OutboxRow.objects.filter(pk__in=[row.pk for row in rows[:3]]).update(dispatched_at="2026-01-01T00:00:00Z")
    there = list(pages(anonymous, sort=sort))

    turn = there[-1]["meta"]["previous_cursor"]
    back = list(pages(anonymous, start=turn, onward="previous_cursor", sort=sort))

    assert [body["data"] for body in back] == [body["data"] for body in there[-2::-1]]


def test_a_walk_neither_skips_nor_repeats_while_rows_come_and_go(anonymous: Client, rows: Rows) -> None:
    ids = [row.pk for row in rows]
    first = page(anonymous, cursor="", per_page=3)
    OutboxRow.objects.create(task="task.0", queue="bulk")
    rows[0].delete()
    rows[3].delete()

    rest = page(anonymous, cursor=first["meta"]["next_cursor"], per_page=100)

    seen = [row["id"] for row in first["data"] + rest["data"]]
    assert seen == [*ids[:3], *ids[4:]]


def test_a_cursor_serves_its_own_list_only(anonymous: Client, rows: Rows, owner: Any, client_of: Any) -> None:
    cursor = page(anonymous, cursor="", per_page=2)["meta"]["next_cursor"]
    forged = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")

    assert details_of(anonymous.get("/api/v1/rows", {"cursor": forged})) == [("cursor", "invalid")]
    assert details_of(anonymous.get("/api/v1/rows", {"cursor": cursor, "sort": "-task"})) == [("cursor", "invalid")]
    assert details_of(anonymous.get("/api/v1/rows", {"cursor": cursor, "queue": "bulk"})) == [("cursor", "invalid")]
    theirs = client_of(owner).get("/api/v1/rows", {"cursor": cursor})
    assert details_of(theirs) == [("cursor", "invalid")]
    assert anonymous.get("/api/v1/rows", {"cursor": cursor, "fields": "id"}).status_code == 200
