"""GET /resources/{id}/versions/{a}/diff/{b} and POST /resources/{id}/revert."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from core.models import Event
from core.permissions import Caller
from core.tests.spine import Events
from resources.access import Level
from resources.changes import difference
from resources.models import Resource, ResourceVersion
from resources.services import Content, create_resource, replace_resource, revert_resource
from resources.tests.factories import create_type, share

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
CONTENT = st.builds(
    Content,
    name=st.sampled_from(["March", "April"]),
    description=TEXT,
    data=st.dictionaries(TEXT, JSON, max_size=3),
    tags=st.lists(TEXT, max_size=2),
    external_id=st.none() | st.sampled_from(["x", "y"]),
)


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    return client_of(owner)


def made(client: Client, **fields: Any) -> str:
    return str(client.post(PATH, {"name": "March", "data": {"price": 1, "old": True}, **fields}).json()["data"]["id"])


def test_a_difference_is_told_by_path_in_both_directions(client: Client) -> None:
    path = f"{PATH}/{made(client)}"
    client.patch(path, {"name": "April", "data": {"price": 2, "old": None, "new": {"deep": [None]}}})

    forth = client.get(f"{path}/versions/1/diff/2").json()["data"]
    back = client.get(f"{path}/versions/2/diff/1").json()["data"]

    assert forth == {
        "from": 1,
        "to": 2,
        "changes": [
            {"path": "data.new", "after": {"deep": [None]}},
            {"path": "data.old", "before": True},
            {"path": "data.price", "before": 1, "after": 2},
            {"path": "name", "before": "March", "after": "April"},
        ],
    }
    assert back["changes"] == [
        {"path": "data.new", "before": {"deep": [None]}},
        {"path": "data.old", "after": True},
        {"path": "data.price", "before": 2, "after": 1},
        {"path": "name", "before": "April", "after": "March"},
    ]


def test_a_version_does_not_differ_from_itself(client: Client) -> None:
    assert client.get(f"{PATH}/{made(client)}/versions/1/diff/1").json()["data"]["changes"] == []


def test_there_is_no_difference_to_a_version_that_is_not_there_or_not_seen(
    client: Client, client_of: ClientOf, stranger: User
) -> None:
    path = f"{PATH}/{made(client)}/versions"

    assert [client.get(f"{path}/{steps}").status_code for steps in ("1/diff/2", "2/diff/1", "1/diff/99999999999")] == [
        404, 404, 404,
    ]  # fmt: skip
    assert client_of(stranger).get(f"{path}/1/diff/1").status_code == 404


def test_a_revert_is_a_new_version_with_the_old_content(client: Client, owner: User, events: Events) -> None:
    path = f"{PATH}/{made(client, tags=['a'], external_id='x')}"
    client.put(path, {"name": "April", "data": {"price": 2}, "description": "Other"})

    answer = client.post(f"{path}/revert", {"version": 1})

    data = answer.json()["data"]
    assert (answer.status_code, answer["ETag"], data["version"]) == (200, '"3"', 3)
    assert (data["name"], data["description"], data["data"], data["tags"], data["external_id"]) == (
        "March", "", {"price": 1, "old": True}, ["a"], "x",
    )  # fmt: skip
    assert client.get(f"{path}/versions/1/diff/3").json()["data"]["changes"] == []
    assert list(ResourceVersion.objects.order_by("number").values_list("number", "action")) == [
        (1, "created"), (2, "updated"), (3, "reverted"),
    ]  # fmt: skip
    event = events("resource.*")[-1]
    assert (event.type, event.actor, event.payload["to_version"]) == ("resource.reverted", owner.id, 1)
    assert event.payload["after"]["name"] == "March"


def test_owner_visibility_and_status_are_not_reverted(
    client: Client, client_of: ClientOf, owner: User, stranger: User
) -> None:
    row = Resource.objects.get(id=made(client, visibility="public"))
    Resource.objects.filter(id=row.id).update(owner=stranger, visibility="private", status="sent")

    answer = client_of(stranger).post(f"{PATH}/{row.id}/revert", {"version": 1})

    data = answer.json()["data"]
    assert (data["owner"]["id"], data["visibility"], data["status"]) == (str(stranger.id), "private", "sent")


def test_a_revert_is_judged_by_the_present_schema(client: Client) -> None:
    kind = create_type("note")
    path = f"{PATH}/{made(client, type='note')}"
    client.put(path, {"name": "April", "data": {"text": "a"}})
    kind.schema, kind.schema_version = {"type": "object", "required": ["text"]}, 2
    kind.versions.create(number=2, schema=kind.schema)
    kind.save()

    answer = client.post(f"{path}/revert", {"version": 1})

    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["data.text"]
    assert Resource.objects.get().version == 2


def test_only_who_may_write_reverts(client: Client, client_of: ClientOf, stranger: User, anonymous: Client) -> None:
    row = Resource.objects.get(id=made(client))
    path = f"{PATH}/{row.id}/revert"

    unseen = client_of(stranger).post(path, {"version": 1})
    share(row, stranger, Level.COMMENTER)
    read_only = client_of(stranger).post(path, {"version": 1})

    assert [unseen.status_code, read_only.status_code] == [404, 403]
    assert anonymous.post(path, {"version": 1}).status_code == 401
    assert Event.objects.filter(type="resource.reverted").count() == 0
    assert Resource.objects.get().version == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"version": 0}, "min_value"),
        ({"version": "1"}, "invalid"),
        ({"version": 2}, "does_not_exist"),
        ({"version": 2**31}, "max_value"),
    ],
)
def test_a_version_that_is_none_is_refused(client: Client, body: dict[str, Any], code: str) -> None:
    answer = client.post(f"{PATH}/{made(client)}/revert", body)

    assert answer.status_code == 400
    assert [(one["field"], one["code"]) for one in answer.json()["error"]["details"]] == [("version", code)]
    assert Resource.objects.get().version == 1


def test_an_external_id_that_was_given_on_does_not_come_back(client: Client) -> None:
    path = f"{PATH}/{made(client, external_id='x')}"
    client.patch(path, {"external_id": None})
    made(client, external_id="x")

    answer = client.post(f"{path}/revert", {"version": 1})

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (409, "external_id")


def test_a_revert_on_another_version_is_refused(client: Client) -> None:
    path = f"{PATH}/{made(client)}"
    client.patch(path, {"name": "April"})

    assert client.post(f"{path}/revert", {"version": 1}, headers={"If-Match": '"1"'}).status_code == 412
    assert Resource.objects.get().name == "April"


@given(history=st.lists(CONTENT, min_size=1, max_size=4), data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_written_comes_back_as_it_was(owner: User, history: list[Content], data: st.DataObject) -> None:
    actor = Caller.of(owner)
    with transaction.atomic():
        row = create_resource(actor=actor, content=history[0])
        for content in history[1:]:
            replace_resource(actor=actor, resource_id=row.id, content=content)
        last = Resource.objects.get(id=row.id).version
        number = data.draw(st.integers(1, last))

        revert_resource(actor=actor, resource_id=row.id, number=number)

        versions = dict(ResourceVersion.objects.filter(resource=row).values_list("number", "snapshot"))
        assert sorted(versions) == list(range(1, last + 2))
        assert difference(versions[number], versions[last + 1]) == ({}, {})
        transaction.set_rollback(True)
