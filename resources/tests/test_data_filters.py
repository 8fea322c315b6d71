"""Filters over typed data: GET /resources?type=…&data.<path>[__operator]=…"""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from core.permissions import Caller
from resources import data_query
from resources.models import Resource, ResourceTypeVersion
from resources.questions import Question, read_parameters
from resources.tests.factories import create_resource, create_type

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "$defs": {"address": {"type": "object", "properties": {"city": {"type": "string"}}}},
    "properties": {
        "number": {"type": "string"},
        "total": {"type": "number"},
        "count": {"type": ["integer", "null"]},
        "paid": {"type": "boolean"},
        "due": {"type": "string", "format": "date"},
        "sent": {"type": "string", "format": "date-time"},
        "token": {"type": "string", "format": "uuid"},
        "level": {"enum": ["low", "high"]},
        "labels": {"type": "array", "items": {"type": "string"}},
        "sizes": {"type": "array", "items": {"type": "number"}},
        "address": {"$ref": "#/$defs/address"},
        "odd.name": {"type": "string"},
        "total__gt": {"type": "string"},
        "anything": {},
    },
}
TOKEN = "019A9C1E-5F00-7C4E-9D1B-2F6F3F0C8A11"
ROWS: dict[str, dict[str, Any]] = {
    "a": {"number": "A-1", "total": 120.5, "count": 1, "paid": True, "due": "2026-01-31", "labels": ["x", "y"]},
    "b": {"number": "B, 2", "total": 99, "count": None, "paid": False, "sent": "2026-01-01T12:00:00+02:00"},
    "c": {"token": TOKEN, "level": "high", "sizes": [1, 2.5], "address": {"city": "Bonn"}, "total": 120.50},
    "d": {"odd.name": "o", "total__gt": "word", "anything": [1], "number": "100% _sure_ \\o/"},
}


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    """The owner's client; the owner has four invoices."""
    create_type("invoice", schema=SCHEMA)
    for name, data in ROWS.items():
        create_resource(owner, name=name, type_id="invoice", data=data)
    create_resource(owner, name="other", data={"total": 120.5, "number": "A-1"})
    return client_of(owner)


def found(client: Client, **parameters: str) -> str:
    """Return the names of what a page and a cursor page list, which is the same."""
    query = {"type": "invoice", "sort": "name", **{f"data.{name}": value for name, value in parameters.items()}}
    page, walk = client.get(PATH, query), client.get(PATH, {**query, "cursor": ""})
    assert page.status_code == 200, page.content
    names = [row["name"] for row in page.json()["data"]]
    assert page.json()["meta"]["total"] == len(names)
    assert [row["name"] for row in walk.json()["data"]] == names
    return "".join(names)


def refusal(client: Client, **query: str) -> tuple[int, str | None, str]:
    """Return the status, and field and code of the first detail."""
    response = client.get(PATH, {"type": "invoice", **query})
    error = response.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    return response.status_code, error["details"][0]["field"], error["details"][0]["code"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"number": "A-1"}, "a"),
        ({"number": "a-1"}, ""),
        ({"total": "120.5"}, "ac"),
        ({"total": "120.500"}, "ac"),
        ({"total": "1205e-1"}, "ac"),
        ({"count": "1"}, "a"),
        ({"count": "1.0"}, "a"),
        ({"paid": "false"}, "b"),
        ({"due": "2026-01-31"}, "a"),
        ({"sent": "2026-01-01T10:00:00Z"}, "b"),
        ({"sent": "2026-01-01T11:00:00+01:00"}, "b"),
        ({"token": TOKEN.lower()}, "c"),
        ({"token": TOKEN}, "c"),
        ({"level": "high"}, "c"),
        ({"address.city": "Bonn"}, "c"),
        ({"odd.name": "o"}, "d"),
        ({"total__gt": "word"}, "d"),
        ({"number__in": 'A-1,"B, 2",zzz'}, "ab"),
        ({"total__in": "99,120.5"}, "abc"),
        ({"sent__in": "2026-01-01T10:00:00Z,2026-01-02T10:00:00Z"}, "b"),
        ({"number__ne": "A-1"}, "bcd"),
        ({"paid__ne": "true"}, "bcd"),
        ({"count__isnull": "true"}, "bcd"),
        ({"count__isnull": "false"}, "a"),
        ({"labels__isnull": "false"}, "a"),
        ({"address__isnull": "false"}, "c"),
        ({"anything__isnull": "false"}, "d"),
        ({"labels__contains": "y"}, "a"),
        ({"sizes__contains": "2.50"}, "c"),
        ({"number__contains": "b, "}, "b"),
        ({"number__contains": "0% _s"}, "d"),
        ({"number__contains": "___"}, ""),
        ({"number__contains": "\\o/"}, "d"),
        ({"total": "120.5", "paid": "true"}, "a"),
    ],
)
def test_a_filter_compares_as_the_schema_says(client: Client, parameters: dict[str, str], expected: str) -> None:
    assert found(client, **parameters) == expected


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("data.total", "much", "wrong_type"),
        ("data.total", "NaN", "wrong_type"),
        ("data.total", "Infinity", "wrong_type"),
        ("data.total", "1_000", "wrong_type"),
        ("data.total", "1e100000", "wrong_type"),
        ("data.total", "", "wrong_type"),
        ("data.count", "1.5", "wrong_type"),
        ("data.paid", "yes", "wrong_type"),
        ("data.due", "2026-02-30", "wrong_type"),
        ("data.due", "20260131", "wrong_type"),
        ("data.sent", "2026-01-01", "wrong_type"),
        ("data.sent", "2026-01-01T10:00:00", "wrong_type"),
        ("data.sent", "0001-01-01T00:00:00+10:00", "wrong_type"),
        ("data.token", "nobody", "wrong_type"),
        ("data.labels", "x", "wrong_type"),
        ("data.anything", "x", "wrong_type"),
        ("data.address", "x", "wrong_type"),
        ("data.paid__contains", "tru", "wrong_type"),
        ("data.count__isnull", "maybe", "wrong_type"),
        ("data.number__contains", "ab", "min_length"),
        ("data.number", "x" * 201, "wrong_type"),
        ("data.number__in", ",".join("x" * 101), "max_length"),
        ("data.number__in", '"a', "invalid"),
        ("data.total__gte", "1", "not_indexed"),
        ("data.nothing", "1", "unknown_parameter"),
        ("data.number.deeper", "1", "unknown_parameter"),
        ("data.", "1", "unknown_parameter"),
        ("data.total__between", "1", "unknown_parameter"),
        ("data.total__lt__lt", "1", "unknown_parameter"),
        ("data." + "a." * 140, "1", "unknown_parameter"),
        ("data.$defs.address", "1", "unknown_parameter"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(client: Client, name: str, value: str, code: str) -> None:
    assert refusal(client, **{name: value}) == (400, name[:100], code)


def test_the_refusal_of_a_range_names_the_keyword_that_allows_it(client: Client) -> None:
    response = client.get(PATH, {"type": "invoice", "data.total__lt": "5"})

    assert "x-index" in response.json()["error"]["details"][0]["message"]


def test_filters_over_data_need_a_type_that_there_is(client: Client) -> None:
    needed = client.get(PATH, {"data.total": "5"}).json()["error"]["details"]
    unknown = client.get(PATH, {"type": "nothing", "data.total": "5"}).json()["error"]["details"]

    assert [(detail["field"], detail["code"]) for detail in needed] == [("type", "required")]
    assert [(detail["field"], detail["code"]) for detail in unknown] == [("type", "does_not_exist")]


def test_the_bin_is_not_asked_about_data(client: Client) -> None:
    response = client.get(f"{PATH}/trash", {"type": "invoice", "data.total": "5"})

    assert response.status_code == 400


def test_at_most_twenty_filters_are_taken(client: Client) -> None:
    query = {f"data.nothing{place}": "1" for place in range(21)}

    response = client.get(PATH, {"type": "invoice", **query})

    assert response.status_code == 400
    assert [detail["code"] for detail in response.json()["error"]["details"]] == ["max_length"]


def test_a_changed_schema_is_followed_at_once(client: Client, admin: User, client_of: ClientOf) -> None:
    assert found(client, total="99") == "b"
    changed = {**SCHEMA, "properties": {**SCHEMA["properties"], "total": {"type": "string"}}}

    client_of(admin).patch("/api/v1/resource-types/invoice", {"schema": changed, "force": True})

    assert found(client, total="99") == ""


def test_on_a_big_type_what_reads_every_row_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_query, "SMALL", 3)

    assert refusal(client, **{"data.number__contains": "A-1"}) == (400, "data.number__contains", "not_indexed")
    assert refusal(client, **{"data.sent": "2026-01-01T10:00:00Z"}) == (400, "data.sent", "not_indexed")
    assert refusal(client, **{"data.number__ne": "A-1"}) == (400, "data.number__ne", "not_indexed")
    assert refusal(client, **{"data.number__isnull": "true"}) == (400, "data.number__isnull", "not_indexed")
    assert found(client, number="A-1", labels__contains="x") == "a"


def test_filters_show_nothing_that_the_caller_may_not_read(
    client: Client, client_of: ClientOf, stranger: User, anonymous: Client
) -> None:
    Resource.objects.filter(name="c").update(visibility="public")

    assert found(client_of(stranger), total="120.5") == "c"
    assert found(anonymous, total="120.5") == "c"


def test_a_question_made_of_plain_parameters_finds_what_the_list_finds(client: Client, owner: User) -> None:
    for parameters in ({"data.total": ["120.5"]}, {"data.number__in": ["A-1,zzz"]}, {"data.labels__contains": ["x"]}):
        query = read_parameters({"type": ["invoice"], "sort": ["name"], **parameters})
        question = Question.of(Caller.of(owner), query)
        expected = found(client, **{name.removeprefix("data."): value[0] for name, value in parameters.items()})

        assert "".join(row.name for row in question.iterate()) == expected
        assert question.rows().count() == len(expected)


NAMES = st.one_of(
    st.text(max_size=40),
    st.sampled_from([*SCHEMA["properties"], "address.city"]).flatmap(
        lambda name: st.sampled_from(
            ["", "__gt", "__ne", "__in", "__contains", "__isnull", "__", ".x", "__gt__in"]
        ).map(lambda end: name + end)
    ),
)
VALUES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["1e400", "-0", "1E-400", "true", "9" * 120, "\\", '"', "%", "{}", "null", "[]", "2026-13-01", "1,,2"]
    ),
    st.floats().map(str),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
)


@given(query=st.dictionaries(NAMES.map(lambda name: f"data.{name}"), VALUES, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_filter_is_answered_with_an_error_of_ours(client: Client, query: dict[str, str]) -> None:
    response = client.get(PATH, {"type": "invoice", **query})

    assert response.status_code in {200, 400}, response.content
    assert response.json()["success"] is (response.status_code == 200)


def test_an_index_over_two_types_from_before_they_were_refused_is_none(client: Client, owner: User) -> None:
    create_type("odd", schema={"type": "object"})
    mixed = {"type": ["string", "number"], "x-index": True}
    schema = {"type": "object", "properties": {"mixed": mixed}}
    ResourceTypeVersion.objects.filter(type__key="odd").update(schema=schema)
    create_resource(owner, type_id="odd", data={"mixed": 1})

    sorted_ = client.get(PATH, {"type": "odd", "sort": "data.mixed"})
    grouped = client.get(f"{PATH}/aggregate", {"type": "odd", "group": "data.mixed"})

    assert [one.status_code for one in (sorted_, grouped)] == [400, 400]
    assert [one.json()["error"]["details"][0]["code"] for one in (sorted_, grouped)] == ["not_indexed"] * 2
    assert client.get(PATH, {"type": "odd"}).json()["meta"]["total"] == 1
