"""/saved-views, and ?view= on the list."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.answers import ClientOf
from core.models import Event
from core.permissions import Caller
from resources.live import own_view_events
from resources.models import SavedView
from resources.services import saved_views
from resources.tests.factories import create_resource, create_type

pytestmark = pytest.mark.django_db

PATH = "/api/v1/saved-views"


def save(client: Client, filters: Any = None, name: str = "Mine", **fields: Any) -> Any:
    return client.post(PATH, {"name": name, "filters": {} if filters is None else filters, **fields})


def saved(client: Client, filters: Any = None, name: str = "Mine", **fields: Any) -> dict[str, Any]:
    answer = save(client, filters, name, **fields)
    assert answer.status_code == 201, answer.content
    return dict(answer.json()["data"])


def names(client: Client, query: str) -> list[str]:
    answer = client.get(f"/api/v1/resources?{query}")
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["data"]]


def faults(answer: Any) -> list[tuple[str, str]]:
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR"), answer.content
    return [(detail["field"], detail["code"]) for detail in answer.json()["error"]["details"]]


def nothing_written() -> bool:
    return not SavedView.objects.exists() and not Event.objects.filter(type__startswith="saved_view.").exists()


def test_a_view_is_saved_read_changed_and_deleted(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    filters = {"tag": ["a", "b"], "sort": "name"}

    answer = save(client, filters)

    view = answer.json()["data"]
    address = f"{PATH}/{view['id']}"
    assert (answer.status_code, answer["Location"], answer["ETag"]) == (201, address, '"1"')
    assert {**view, "id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "name": "Mine",
        "filters": filters,
        "shared": False,
        "owner": {"id": str(owner.pk), "name": "Olive Owner"},
        "created_at": "",
        "updated_at": "",
    }
    assert client.get(address).json()["data"] == view
    assert client.get(address, headers={"If-None-Match": '"1"'}).status_code == 304
    assert client.put(address, {**view, "name": "Ours"}).json()["data"]["name"] == "Ours"
    assert client.patch(address, {"shared": True}, headers={"If-Match": '"1"'}).status_code == 412
    changed = client.patch(address, {"shared": True}, headers={"If-Match": '"2"'})
    assert (changed["ETag"], changed.json()["data"]["shared"]) == ('"3"', True)
    assert client.delete(address, headers={"If-Match": '"2"'}).status_code == 412
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    told = Event.objects.filter(type__startswith="saved_view.").order_by("seq")
    assert list(told.values_list("type", flat=True)) == [
        "saved_view.created", "saved_view.updated", "saved_view.updated", "saved_view.deleted",
    ]  # fmt: skip
    assert told[2].payload == {"before": {"shared": False}, "after": {"shared": True}}


def test_the_list_takes_the_parameters_of_a_view_and_those_of_the_request_win(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    create_resource(owner, name="B", tags=["x"])
    create_resource(owner, name="A", tags=["x"])
    create_resource(owner, name="C", tags=["y"])
    view = saved(client, {"tag": "x", "sort": "name", "per_page": "1", "fields": "name"})["id"]

    answer = client.get(f"/api/v1/resources?view={view}").json()

    assert (answer["data"], answer["meta"]["total"]) == ([{"name": "A"}], 2)
    assert names(client, f"view={view}&page=2") == ["B"]
    assert names(client, f"view={view}&per_page=5&sort=-name") == ["B", "A"]
    assert names(client, f"view={view}&tag=y") == ["C"]


def test_a_cursor_made_with_a_view_serves_as_long_as_the_view_says_the_same(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    for name in "ABC":
        create_resource(owner, name=name)
    view = saved(client, {"sort": "name", "per_page": "2"})["id"]
    first = client.get(f"/api/v1/resources?view={view}&cursor=").json()
    following = f"view={view}&cursor={first['meta']['next_cursor']}"
    assert names(client, following) == ["C"]

    client.patch(f"{PATH}/{view}", {"filters": {"sort": "-name", "per_page": "2"}})

    assert faults(client.get(f"/api/v1/resources?{following}")) == [("cursor", "invalid")]


def test_a_changed_view_counts_from_the_next_request_on(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)
    create_resource(owner, name="A", tags=["x"])
    create_resource(owner, name="B", tags=["y"])
    view = saved(client, {"tag": "x"})["id"]
    assert names(client, f"view={view}") == ["A"]

    client.patch(f"{PATH}/{view}", {"filters": {"tag": "y"}})

    assert names(client, f"view={view}") == ["B"]


def test_a_shared_view_shows_each_caller_what_they_may_read(
    owner: User, stranger: User, anonymous: Client, client_of: ClientOf
) -> None:
    create_resource(owner, name="Owner's")
    create_resource(stranger, name="Stranger's")
    view = saved(client_of(owner), {"owner": "me"}, shared=True)["id"]

    assert names(client_of(owner), f"view={view}") == ["Owner's"]
    assert names(client_of(stranger), f"view={view}") == ["Stranger's"]
    assert anonymous.get(f"/api/v1/resources?view={view}").status_code == 401


def test_a_private_view_is_its_owner_s_alone_even_from_administrators(
    owner: User, stranger: User, admin: User, client_of: ClientOf
) -> None:
    view = saved(client_of(owner), {"q": "divorce"})["id"]
    for user in (stranger, admin):
        client = client_of(user)
        assert client.get(PATH).json()["data"] == []
        assert client.get(f"{PATH}/{view}").status_code == 404
        assert client.patch(f"{PATH}/{view}", {"name": "X"}).status_code == 404
        assert client.put(f"{PATH}/{view}", {"name": "X", "filters": {}}).status_code == 404
        assert client.delete(f"{PATH}/{view}").status_code == 404
        assert faults(client.get(f"/api/v1/resources?view={view}")) == [("view", "does_not_exist")]
        assert faults(client.get(f"/api/v1/resources?view={uuid4()}")) == [("view", "does_not_exist")]
    assert SavedView.objects.get().version == 1
    found = list(Event.objects.filter(type="saved_view.created"))
    assert [len(list(own_view_events(Caller.of(user), found))) for user in (owner, stranger)] == [1, 0]


def test_what_is_shown_to_everyone_is_its_owner_s_to_change_and_staff_s_to_take_away(
    owner: User, stranger: User, admin: User, client_of: ClientOf
) -> None:
    view = saved(client_of(owner), shared=True)["id"]

    assert client_of(stranger).get(f"{PATH}/{view}").status_code == 200
    assert [row["id"] for row in client_of(stranger).get(f"{PATH}?shared=true").json()["data"]] == [view]
    assert client_of(stranger).get(f"{PATH}?shared=false").json()["data"] == []
    assert client_of(stranger).patch(f"{PATH}/{view}", {"name": "X"}).status_code == 403
    assert client_of(stranger).delete(f"{PATH}/{view}").status_code == 403
    assert SavedView.objects.get().name == "Mine"
    assert client_of(admin).delete(f"{PATH}/{view}").status_code == 204


@pytest.mark.parametrize(
    ("filters", "fault"),
    [
        ({"nothing": "x"}, ("filters.nothing", "unknown_parameter")),
        ({"page": "2"}, ("filters.page", "not_saved")),
        ({"cursor": ""}, ("filters.cursor", "not_saved")),
        ({"view": str(uuid4())}, ("filters.view", "not_saved")),
        ({"sort": "password"}, ("filters.sort", "unknown")),
        ({"owner": "you"}, ("filters.owner", "invalid")),
        ({"status": ["a", "b"]}, ("filters.status", "repeated")),
        ({"per_page": "1000"}, ("filters.per_page", "max_value")),
        ({"status": 1}, ("filters", "text")),
        ({"tag": []}, ("filters", "text")),
        ({"tag": [["x"]]}, ("filters", "text")),
        ({"tag": {"x": "y"}}, ("filters", "text")),
        ({f"a{number}": "x" for number in range(51)}, ("filters", "too_many")),
        ({"q": "x" * 1001}, ("filters", "too_long")),
        ({"x" * 301: "x"}, ("filters", "too_long")),
        ([], ("filters", "not_a_dict")),
        ("tag=x", ("filters", "not_a_dict")),
    ],
)
def test_what_the_list_would_refuse_is_not_saved(
    owner: User, client_of: ClientOf, filters: Any, fault: tuple[str, str]
) -> None:
    assert faults(save(client_of(owner), filters)) == [fault]
    assert nothing_written()


def test_a_view_that_the_list_takes_no_longer_says_why(owner: User, client_of: ClientOf) -> None:
    view = SavedView.objects.create(owner=owner, name="Old", filters={"sort": "colour", "status": "sent"})
    client = client_of(owner)

    assert faults(client.get(f"/api/v1/resources?view={view.pk}")) == [("view.sort", "unknown")]
    assert faults(client.get(f"/api/v1/resources?view={view.pk}&sort=size")) == [("sort", "unknown")]
    assert names(client, f"view={view.pk}&sort=name") == []


def test_a_view_that_the_schema_has_left_behind_says_why(owner: User, admin: User, client_of: ClientOf) -> None:
    total = {"type": "object", "properties": {"total": {"type": "number"}}}
    create_type("bill", schema=total)
    create_resource(owner, type_id="bill", name="A", data={"total": 5})
    client = client_of(owner)
    view = saved(client, {"type": "bill", "data.total": "5"})["id"]
    assert names(client, f"view={view}") == ["A"]

    wording = {"type": "object", "properties": {"total": {"type": "boolean"}}}
    answer = client_of(admin).patch("/api/v1/resource-types/bill", {"schema": wording, "force": True})
    assert answer.status_code == 200, answer.content

    ((field, _),) = faults(client.get(f"/api/v1/resources?view={view}"))
    assert field == "view.data.total"
    assert names(client, f"view={view}&data.total=true") == []


def test_filters_over_data_are_judged_by_the_schema_when_saved(owner: User, client_of: ClientOf) -> None:
    create_type("bill", schema={"type": "object", "properties": {"total": {"type": "number"}}})

    assert faults(save(client_of(owner), {"type": "bill", "data.total": "much"}))[0][0] == "filters.data.total"
    assert faults(save(client_of(owner), {"data.total": "5"})) == [("filters.type", "required")]
    assert nothing_written()


@pytest.mark.parametrize("query", ["view=", "view=x", "view=1&view=2", "view=%00"])
def test_what_is_no_id_of_a_view_is_refused(owner: User, client_of: ClientOf, query: str) -> None:
    ((field, _),) = faults(client_of(owner).get(f"/api/v1/resources?{query}"))

    assert field == "view"


def test_a_name_is_used_once_by_each_person(owner: User, stranger: User, client_of: ClientOf) -> None:
    saved(client_of(owner))
    saved(client_of(stranger))

    answer = save(client_of(owner))

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert SavedView.objects.count() == 2


def test_a_person_has_so_many_views_and_no_more(owner: User, client_of: ClientOf, monkeypatch: Any) -> None:
    monkeypatch.setattr(saved_views, "MOST_VIEWS", 1)
    saved(client_of(owner))

    assert save(client_of(owner), name="Another").status_code == 409
    assert SavedView.objects.count() == 1


def test_changing_nothing_writes_nothing(owner: User, client_of: ClientOf) -> None:
    view = saved(client_of(owner))

    answer = client_of(owner).patch(f"{PATH}/{view['id']}", {"name": "Mine"})

    assert (answer.status_code, answer["ETag"]) == (200, '"1"')
    assert not Event.objects.filter(type="saved_view.updated").exists()
