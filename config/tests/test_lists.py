"""Every list takes what the contract says lists take: pages, cursors and `fields`; what it does not know it refuses."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import PASSWORD
from core.api.operations import operation_of
from core.api.query import Query
from core.api.routes import api_routes
from resources.models import Resource
from resources.tests.factories import create_resource

ClientOf = Callable[[User], Client]


def lists() -> dict[str, type[Query]]:
    """Every list by its path, with the query that it reads."""
    found: dict[str, type[Query]] = {}
    for route in api_routes():
        declared = operation_of(getattr(route.view, "get", None))
        if declared is not None and declared.paginated:
            assert declared.query is not None, route.path
            found[route.path] = declared.query
    return found


LISTS = lists()
SESSIONS = "/api/v1/auth/sessions"


def names(path: str) -> frozenset[str]:
    """What `fields` knows there."""
    known: frozenset[str] = getattr(LISTS[path], "selectable", frozenset())
    return known


def test_there_are_lists() -> None:
    assert {"/api/v1/users", "/api/v1/resources", "/api/v1/jobs", "/api/v1/audit"} <= LISTS.keys()


@pytest.mark.parametrize("path", sorted(LISTS))
def test_every_list_takes_pages_cursors_and_fields(path: str) -> None:
    assert {"page", "per_page", "cursor", "fields"} <= LISTS[path]().fields.keys()
    assert names(path)


@pytest.mark.parametrize("path", sorted(path for path in LISTS if "<" not in path))
def test_every_list_is_sorted_either_way_and_by_nothing_else(client_of: ClientOf, admin: User, path: str) -> None:
    client = client_of(admin)
    known = sorted(getattr(LISTS[path], "sortable", frozenset()) - {"rank"})
    assert known

    answers = {client.get(path, {"sort": f"{way}{name}"}).status_code for name in known for way in ("", "-")}
    refused = client.get(path, {"sort": "nonsense"})

    assert answers == {200}
    told = refused.json()["error"]["details"]
    assert (refused.status_code, [(one["field"], one["code"]) for one in told]) == (400, [("sort", "unknown")])


def test_a_list_in_the_order_of_making_begins_at_either_end(client_of: ClientOf, owner: User) -> None:
    row: Resource = create_resource(owner)
    client, path = client_of(owner), f"/api/v1/resources/{row.id}"
    for number in range(3):
        client.patch(path, {"name": f"Name {number}"})
        client.post("/api/v1/auth/login", {"email": owner.email, "password": PASSWORD})

    for each, by in ((f"{path}/versions", "number"), (f"{path}/events", "occurred_at"), (SESSIONS, "created_at")):
        usual = client.get(each).json()["data"]
        turned = client.get(each, {"sort": by}).json()["data"]
        assert len(usual) >= 3
        assert turned == usual[::-1]
        assert client.get(each, {"sort": f"-{by}"}).json()["data"] == usual
        part = f"{each}?sort={by}&per_page=2&cursor="
        first = client.get(part).json()
        following = client.get(f"{part}{first['meta']['next_cursor']}").json()
        assert [*first["data"], *following["data"]] == turned[:4]


@pytest.mark.parametrize("path", sorted(path for path in LISTS if "<" not in path))
def test_fields_trim_every_item(client_of: ClientOf, admin: User, path: str) -> None:
    create_resource(admin)
    first = sorted(name for name in names(path) if "." not in name)[0]
    client = client_of(admin)

    answer = client.get(path, {"fields": first})
    refused = client.get(path, {"fields": f"{first},nonsense"})

    assert answer.status_code == 200, answer.content
    assert {name for item in answer.json()["data"] for name in item} <= {first}
    told = refused.json()["error"]["details"]
    assert (refused.status_code, [(one["field"], one["code"]) for one in told]) == (400, [("fields", "unknown")])


def test_a_dotted_name_trims_what_is_embedded(client_of: ClientOf, owner: User) -> None:
    row: Resource = create_resource(owner)
    client, path = client_of(owner), f"/api/v1/resources/{row.id}"
    client.patch(path, {"name": "B", "data": {"a": 1}})
    client.post(f"{path}/comments", {"body": "Well said."})
    client.post(f"{path}/shares", {"role": "moderator", "access": "viewer"})

    shown = {
        name: client.get(f"{path}/{name}?fields={fields}").json()["data"]
        for name, fields in {
            "versions": "number,actor.name",
            "comments": "body,author.id",
            "shares": "access,given_by.name",
            "events": "type,actor.name",
        }.items()
    }

    assert shown["versions"] == [{"number": number, "actor": {"name": owner.name}} for number in (2, 1)]
    assert shown["comments"] == [{"body": "Well said.", "author": {"id": str(owner.id)}}]
    assert shown["shares"] == [{"access": "viewer", "given_by": {"name": owner.name}}]
    assert {"type": "resource.updated", "actor": {"name": owner.name}} in shown["events"]
    kinds = client.get("/api/v1/resource-types?fields=key,schema.type").json()["data"]
    assert {"key": "item", "schema": {"type": "object"}} in kinds
