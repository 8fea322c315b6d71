"""Lists: pages, cursors, filters, sorts, fields, includes (GET /resources)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from resources.access import Level
from resources.models import Resource
from resources.tests.factories import create_resource, share

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    """The owner's client."""
    return client_of(owner)


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["data"]]


def create_many(owner: User, amount: int, **fields: Any) -> list[Resource]:
    """Create resources named 00, 01, …, each a second older than the next."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        create_resource(owner, name=f"{place:02}", created_at=start + timedelta(seconds=place), **fields)
        for place in range(amount)
    ]


def test_a_page_is_newest_first_with_the_total(client: Client, owner: User) -> None:
    create_many(owner, 5)

    response = client.get(f"{PATH}?page=2&per_page=2")

    assert names(response) == ["02", "01"]
    assert response.json()["meta"] == {"page": 2, "per_page": 2, "total": 5, "total_pages": 3}


def test_a_page_past_the_end_is_empty(client: Client, owner: User) -> None:
    create_many(owner, 1)

    response = client.get(f"{PATH}?page=9")

    assert (names(response), response.json()["meta"]["total"]) == ([], 1)


def test_pages_end_at_ten_thousand_rows(client: Client) -> None:
    response = client.get(f"{PATH}?page=101&per_page=100")

    assert response.status_code == 400
    assert "cursor" in response.json()["error"]["details"][0]["message"]


def test_a_total_past_ten_thousand_is_an_estimate(client: Client, owner: User) -> None:
    Resource.objects.bulk_create([Resource(owner=owner, name="x") for _ in range(10_050)], batch_size=5000)

    meta = client.get(f"{PATH}?per_page=1&fields=id").json()["meta"]

    assert meta["total_is_estimate"] is True
    assert meta["total"] >= 10_001


def test_a_cursor_walks_the_list_once_both_ways_while_rows_come_and_go(client: Client, owner: User) -> None:
    rows = create_many(owner, 7)
    first = client.get(f"{PATH}?cursor=&per_page=3")

    create_resource(owner, name="new")
    rows[3].delete()
    second = client.get(f"{PATH}?cursor={first.json()['meta']['next_cursor']}&per_page=3")
    back = client.get(f"{PATH}?cursor={second.json()['meta']['previous_cursor']}&per_page=3")

    assert names(first) == ["06", "05", "04"]
    assert first.json()["meta"]["previous_cursor"] is None
    assert names(second) == ["02", "01", "00"]
    assert second.json()["meta"]["next_cursor"] is None
    assert names(back) == ["06", "05", "04"]


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "updated_at", "name", "-name", "status", "-name,status"])
def test_a_cursor_goes_through_every_sort_completely(client: Client, owner: User, sort: str) -> None:
    create_many(owner, 5)
    seen: list[str] = []
    cursor: str | None = ""

    while cursor is not None:
        response = client.get(f"{PATH}?sort={sort}&per_page=2&cursor={cursor}")
        seen += names(response)
        cursor = response.json()["meta"]["next_cursor"]

    assert sorted(seen) == ["00", "01", "02", "03", "04"]
    assert seen == names(client.get(f"{PATH}?sort={sort}"))


def test_a_cursor_serves_only_the_list_and_the_caller_it_was_made_for(
    client: Client, owner: User, stranger: User, client_of: ClientOf
) -> None:
    create_many(owner, 3, visibility="internal")
    cursor = client.get(f"{PATH}?cursor=&per_page=1").json()["meta"]["next_cursor"]

    for response in (
        client.get(f"{PATH}?cursor={cursor}&per_page=1&sort=name"),
        client.get(f"{PATH}?cursor={cursor}&per_page=1&status=active"),
        client_of(stranger).get(f"{PATH}?cursor={cursor}&per_page=1"),
        client.get(f"{PATH}?cursor={cursor[:-4]}AAAA&per_page=1"),
        client.get(f"{PATH}/trash?cursor={cursor}"),
    ):
        assert response.status_code == 400
        assert [detail["field"] for detail in response.json()["error"]["details"]] == ["cursor"]


def test_filters_narrow_the_list(client: Client, owner: User, stranger: User) -> None:
    create_resource(owner, name="mine", tags=["a", "b"], external_id="x-1", visibility="public")
    create_resource(owner, name="other", tags=["a"])
    create_resource(stranger, name="theirs", visibility="internal")

    assert names(client.get(f"{PATH}?tag=a&tag=b")) == ["mine"]
    assert names(client.get(f"{PATH}?external_id=x-1")) == ["mine"]
    assert names(client.get(f"{PATH}?visibility=private")) == ["other"]
    assert names(client.get(f"{PATH}?owner=me&sort=name")) == ["mine", "other"]
    assert names(client.get(f"{PATH}?owner={stranger.id}")) == ["theirs"]
    assert names(client.get(f"{PATH}?type=item&status=active&sort=-name")) == ["theirs", "other", "mine"]
    assert names(client.get(f"{PATH}?type=invoice")) == []
    assert names(client.get(f"{PATH}?status=done")) == []


def test_a_list_of_ones_own_needs_a_sign_in(anonymous: Client, db: None) -> None:
    response = anonymous.get(f"{PATH}?owner=me")

    assert (response.status_code, response.json()["error"]["code"]) == (401, "NOT_AUTHENTICATED")


def test_times_bound_the_list(client: Client, owner: User) -> None:
    create_many(owner, 3)

    assert names(client.get(f"{PATH}?created_after=2026-01-01T00:00:00Z&created_before=2026-01-01T00:00:02Z")) == ["01"]
    assert names(client.get(f"{PATH}?updated_before=2020-01-01T00:00:00Z")) == []
    assert len(names(client.get(f"{PATH}?updated_after=2020-01-01T00:00:00Z"))) == 3


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("colour=red", "colour", "unknown_parameter"),
        ("sort=colour", "sort", "unknown"),
        ("sort=rank", "sort", "conflict"),
        ("sort=rank,name&q=a", "sort", "conflict"),
        ("fields=colour", "fields", "unknown"),
        ("include=colour", "include", "unknown"),
        ("owner=you", "owner", "invalid"),
        ("visibility=secret", "visibility", "invalid_choice"),
        ("created_after=yesterday", "created_after", "invalid"),
        ("per_page=101", "per_page", "max_value"),
        ("page=0", "page", "min_value"),
        ("page=1&page=2", "page", "repeated"),
        ("tag=" + "x" * 51, "tag.0", "max_length"),
        ("q=" + "x" * 201, "q", "max_length"),
        ("cursor=abc", "cursor", "invalid"),
        ("cursor=&page=1", "page", "conflict"),
    ],
)
def test_a_wrong_parameter_is_named(client: Client, query: str, field: str, code: str) -> None:
    response = client.get(f"{PATH}?{query}")

    assert response.status_code == 400
    assert [(detail["field"], detail["code"]) for detail in response.json()["error"]["details"]] == [(field, code)]


def test_fields_trim_every_item_down_to_paths_of_data(client: Client, owner: User) -> None:
    row = create_resource(owner, name="a", data={"price": 1, "address": {"city": "Bonn", "zip": "5"}, "x": 2})

    listed = client.get(f"{PATH}?fields=name,data.price,data.address.city,data.nothing").json()["data"]

    assert listed == [{"name": "a", "data": {"price": 1, "address": {"city": "Bonn"}}}]
    assert client.get(f"{PATH}/{row.id}?fields=name,version").json()["data"] == {"name": "a", "version": 1}


@pytest.mark.parametrize("page", ["", "&cursor=", "&sort=name&per_page=1"])
def test_fields_trim_the_owner_as_other_lists_do(client: Client, owner: User, page: str) -> None:
    row = create_resource(owner, data={"a": 1})

    listed = client.get(f"{PATH}?fields=name,owner.name{page}").json()["data"]
    single = client.get(f"{PATH}/{row.id}?fields=owner.id,data.a&include=files").json()["data"]
    refused = client.get(f"{PATH}?fields=owner.email{page}")

    assert listed == [{"name": row.name, "owner": {"name": owner.name}}]
    assert single == {"owner": {"id": str(owner.id)}, "data": {"a": 1}, "files": []}
    assert (refused.status_code, refused.json()["error"]["details"][0]["code"]) == (400, "unknown")


def test_include_embeds_the_owner(client: Client, owner: User) -> None:
    create_resource(owner)

    listed = client.get(f"{PATH}?include=owner&fields=owner").json()["data"]

    assert listed == [{"owner": {"id": str(owner.id), "name": "Olive Owner", "avatar": None}}]


def test_what_is_included_stays_beside_paths_of_data(client: Client, owner: User) -> None:
    row = create_resource(owner, data={"price": 1, "x": 2})
    shown = {"data": {"price": 1}, "owner": {"id": str(owner.id), "name": "Olive Owner", "avatar": None}}

    assert client.get(f"{PATH}?include=owner&fields=data.price").json()["data"] == [shown]
    assert client.get(f"{PATH}/{row.id}?include=owner&fields=data.price").json()["data"] == shown


def test_a_share_shows_the_resource_with_its_level(
    client_of: ClientOf, owner: User, stranger: User, admin: User
) -> None:
    row = create_resource(owner, name="shared")
    share(row, stranger, Level.EDITOR)

    listed = client_of(stranger).get(PATH).json()["data"]

    assert [(item["name"], item["access"]) for item in listed] == [("shared", "editor")]
    assert client_of(stranger).patch(f"{PATH}/{row.id}", {"name": "edited"}).json()["data"]["access"] == "editor"
    assert client_of(stranger).patch(f"{PATH}/{row.id}", {"visibility": "public"}).status_code == 403
    assert client_of(stranger).delete(f"{PATH}/{row.id}").status_code == 403
    assert client_of(admin).get(f"{PATH}/{row.id}").json()["data"]["access"] == "admin"


@pytest.mark.usefixtures("sessions_read_once")
def test_a_list_costs_the_same_queries_for_one_row_and_for_many(
    client: Client, owner: User, django_assert_num_queries: Any
) -> None:
    create_many(owner, 1)
    client.get(PATH)

    with django_assert_num_queries(1):
        assert len(names(client.get(PATH))) == 1
    create_many(owner, 20)
    with django_assert_num_queries(1):
        assert len(names(client.get(PATH))) == 20
    with django_assert_num_queries(1):
        client.get(f"{PATH}?cursor=")
