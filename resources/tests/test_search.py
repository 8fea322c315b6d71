"""Full text: GET /resources?q=…"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from core.api.pagination import sort_keys
from resources import plans
from resources.models import Form, Resource
from resources.query import SORTS
from resources.shapes import ListShape, Shape
from resources.tests.factories import create_resource

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    """The owner's client."""
    return client_of(owner)


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["data"]]


def test_words_are_found_in_name_description_tags_and_data_best_first(client: Client, owner: User) -> None:
    create_resource(owner, name="Plain", data={"deep": [{"text": "a heron"}]})
    create_resource(owner, name="Plainer", description="About the heron")
    create_resource(owner, name="Heron")
    create_resource(owner, name="Tagged", tags=["heron"])
    create_resource(owner, name="Falcon")

    found = names(client.get(f"{PATH}?q=heron"))

    assert found[:2] == ["Heron", "Plainer"]
    assert sorted(found[2:]) == ["Plain", "Tagged"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("invoice march", ["Invoice March"]),
        ("invoice -march", ["Invoice April"]),
        ('"march invoice"', ["March Invoice Café"]),
        ("april or falcon", ["Falcon", "Invoice April"]),
        ("cafe", ["March Invoice Café"]),
        ("CAFÉ", ["March Invoice Café"]),
        ("zzz", []),
        ("'", []),
        ("-", []),
        ("%", []),
    ],
)
def test_a_search_is_written_as_on_the_web(client: Client, owner: User, query: str, expected: list[str]) -> None:
    for name in ("Invoice March", "Invoice April", "March Invoice Café", "Falcon"):
        create_resource(owner, name=name)

    found = names(client.get(PATH, {"q": query}))

    assert [name for name in sorted(found) if name in expected] == expected
    assert query == "invoice march" or sorted(found) == expected


def test_a_typing_error_in_a_name_is_forgiven_when_nothing_else_is_found(client: Client, owner: User) -> None:
    create_resource(owner, name="Quarterly inventory")
    create_resource(owner, name="Falcon")

    response = client.get(f"{PATH}?q=inventroy")

    assert names(response) == ["Quarterly inventory"]
    assert response.json()["meta"]["total"] == 1
    assert names(client.get(f"{PATH}?q=inventroy&cursor=")) == ["Quarterly inventory"]


def test_a_search_walks_by_cursor(client: Client, owner: User) -> None:
    for place in range(5):
        create_resource(owner, name=f"Heron {place}", description="heron " * place)

    first = client.get(f"{PATH}?q=heron&cursor=&per_page=3")
    second = client.get(f"{PATH}?q=heron&cursor={first.json()['meta']['next_cursor']}&per_page=3")

    assert names(first) + names(second) == names(client.get(f"{PATH}?q=heron"))
    assert second.json()["meta"]["next_cursor"] is None


def test_what_was_found_is_marked_and_markup_is_harmless(client: Client, owner: User) -> None:
    create_resource(owner, name="<b>Heron</b> & co", description="A heron <script>alert(1)</script>")

    item = client.get(f"{PATH}?q=heron").json()["data"][0]

    assert item["highlight"]["name"] == "&lt;b&gt;<mark>Heron</mark>&lt;/b&gt; &amp; co"
    assert "<mark>heron</mark>" in item["highlight"]["description"]
    assert "<script>" not in item["highlight"]["description"]


def test_a_search_finds_only_what_the_caller_may_read(client_of: ClientOf, owner: User, stranger: User) -> None:
    create_resource(owner, name="Heron private")
    create_resource(owner, name="Heron internal", visibility="internal")

    assert names(client_of(stranger).get(f"{PATH}?q=heron")) == ["Heron internal"]
    assert names(client_of(stranger).get(f"{PATH}?q=heorn")) == ["Heron internal"]


def test_a_search_follows_every_write(client: Client, owner: User) -> None:
    row = client.post(PATH, {"name": "Heron"}).json()["data"]
    client.patch(f"{PATH}/{row['id']}", {"name": "Falcon"})

    assert names(client.get(f"{PATH}?q=falcon")) == ["Falcon"]
    assert Resource.objects.filter(name="Heron").count() == 0


def planned(
    owner: User, *, permissions: frozenset[str] = frozenset(), form: Form = Form.OR, alike: bool = False
) -> str:
    """Return the planner's plan for a search among ten thousand resources."""
    listed = ListShape(
        Shape(plans.slotted(permissions, is_anonymous=False), form),
        sort_keys(("-rank",), SORTS),
        is_search=True,
        alike=alike,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO resources (owner_id, type, name) "
            "SELECT %s, 'item', md5(place::text) FROM generate_series(1, 10000) AS place",
            [owner.id],
        )
        cursor.execute("ANALYZE resources; SET LOCAL enable_seqscan = off; SET LOCAL random_page_cost = 1")
    row = plans.estimate(listed).fetch({"q": "c4ca4238", "user": owner.id, "role": "user"})
    assert row is not None
    assert row[0] is not None
    return row[0].decode()


@pytest.mark.parametrize("form", list(Form))
def test_a_search_stands_on_the_index_of_the_words(owner: User, form: Form) -> None:
    assert "idx_resources_search" in planned(owner, form=form)


def test_a_search_for_names_that_are_alike_stands_on_the_index_of_their_letters(owner: User) -> None:
    assert "idx_resources_name_trgm" in planned(owner, permissions=frozenset({"read:resource"}), alike=True)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/trash"])
def test_a_highlight_needs_a_search(client: Client, path: str) -> None:
    response = client.get(f"{path}?fields=highlight")

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["details"] == [{"field": "fields", "code": "conflict", "message": "A highlight needs q."}]
